"""The host's samplers and schedules in the engine's words."""

import pytest


@pytest.mark.parametrize(
    ("host_sampler", "host_scheduler", "sampler", "scheduler"),
    [
        ("Euler a", "Automatic", "Euler a", "Automatic"),
        ("euler A", None, "Euler a", "Automatic"),
        ("DPM++ 2M", "Karras", "DPM++ 2M", "Karras"),
        ("DPM++ 2M Karras", "Automatic", "DPM++ 2M", "Karras"),
        ("DPM++ 2M SDE karras", None, "DPM++ 2M SDE", "Karras"),
        ("DPM++ 2M Karras", "Uniform", "DPM++ 2M", "Uniform"),
        ("Heun", "sgm_uniform", "Heun", "SGM Uniform"),
        ("Heun", "SGMUniform", "Heun", "SGM Uniform"),
    ],
)
def test_names_that_the_engine_has(host, host_sampler, host_scheduler, sampler, scheduler):
    processed = host.txt2img(sampler_name=host_sampler, scheduler=host_scheduler or "Automatic")
    call = host.called("denoise")[0]
    assert (call["sampler"], call["scheduler"]) == (sampler, scheduler)
    assert processed.comments == ""
    assert f"Sampler: Kandinsky {sampler}, Schedule type: {scheduler}" in processed.infotexts[0]


def test_a_sampler_that_is_not_there_is_replaced_and_said(host):
    processed = host.txt2img(sampler_name="DPM adaptive")
    assert host.called("denoise")[0]["sampler"] == "DDIM"
    assert 'Sampler: Kandinsky has no "DPM adaptive" and used DDIM. It has: DDIM' in (
        processed.comments
    )


def test_a_schedule_that_is_not_there_is_replaced_and_said(host):
    processed = host.txt2img(sampler_name="Euler", scheduler="KL Optimal")
    assert host.called("denoise")[0]["scheduler"] == "Automatic"
    assert 'no "KL Optimal" and used Automatic' in processed.comments


def test_our_own_controls_win(host):
    args = host.settings(sampler="DDPM", scheduler="Karras")
    processed = host.txt2img(sampler_name="Euler", scheduler="Uniform", args=args)
    call = host.called("denoise")[0]
    assert (call["sampler"], call["scheduler"]) == ("DDPM", "Karras")
    assert "Sampler: Kandinsky DDPM" in processed.infotexts[0]
    _, values = host.paste(host.script, processed.infotexts[0])
    assert values[4:6] == ["DDPM", "Karras"]


@pytest.mark.parametrize("field", ["sampler", "scheduler"])
def test_an_unknown_name_in_our_own_controls_lists_the_known_ones(host, field):
    with pytest.raises(host.ext("errors").UserError, match="'ddpmm': expected Use the host's, "):
        host.txt2img(args=host.settings(**{field: "ddpmm"}))


def test_a_pasted_sampler_suits_a_host_without_schedules(host):
    text = host.txt2img(sampler_name="DPM++ 2M", scheduler="Karras").infotexts[0]
    params, _ = host.paste(host.script, text)
    assert (params["Sampler"], params["Schedule type"]) == ("DPM++ 2M", "Karras")
    host.sd_samplers.all_samplers.append(host.sd_samplers.SamplerData("DPM++ 2M Karras"))
    params, _ = host.paste(host.script, text)
    assert params["Sampler"] == "DPM++ 2M Karras"
