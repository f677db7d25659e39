"""The host's samplers and schedules in the engine's words."""

import runpy

import pytest
from PIL import Image
from support.panel_hooks import Hooks

from .conftest import FAKE_ENGINE, make_model

# A contract test compares these with the library's.
TABLES = runpy.run_path(str(FAKE_ENGINE / "kandinsky_engine" / "tables.py"))
SAMPLERS, SCHEDULERS = (list(TABLES[name]) for name in ("SAMPLERS", "SCHEDULERS"))


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
    assert f"Sampler: {sampler}, Schedule type: {scheduler}" in processed.infotexts[0]


@pytest.mark.parametrize(
    ("sampler", "used"),
    [
        ("DDIM CFG++", "DDIM"),
        ("Restart", "Heun"),
        ("restart", "Heun"),
        ("DPM fast", "DPM++ 2M"),
        ("DPM adaptive", "DPM++ 2M"),
        ("DPM++ 2M SDE Heun", "DPM++ 2M SDE"),
        ("PLMS", "LMS"),
        ("IPNDM", "DDIM"),
    ],
)
def test_a_sampler_that_is_not_there_is_replaced_and_said(host, sampler, used):
    host.sd_samplers.all_samplers.append(host.sd_samplers.SamplerData(sampler))
    processed = host.txt2img(sampler_name=sampler)
    assert host.called("denoise")[0]["sampler"] == used
    remark = f'Sampler: Kandinsky has no "{sampler}" and used {used}. Available: DDIM'
    assert remark in processed.comments
    assert f"Sampler: {used}, " in processed.infotexts[0]
    assert f"Kandinsky replaced: sampler {sampler}" in processed.infotexts[0]


def test_the_models_own_replaces_a_sampler_that_none_is_near_to(host):
    make_model(host.toy.parent / "depth", role="hint")
    host.sd_samplers.all_samplers.append(host.sd_samplers.SamplerData("IPNDM"))
    hint = Image.new("RGB", (64, 64))
    processed = host.txt2img(sampler_name="IPNDM", args=host.settings(model="depth", hint=hint))
    params, _ = host.paste(host.script, processed.infotexts[0])
    assert params["Sampler"] == "DDIM", "a name that the host's own field knows"
    assert params["Kandinsky sampler"] == "DDPM"
    assert host.called("denoise")[0]["sampler"] == "DDPM"


@pytest.mark.parametrize("name", ["LCM", "LCM Karras", "lcm"])
@pytest.mark.parametrize("field", ["sampler_name", "hr_sampler_name"])
def test_a_sampler_that_none_is_near_to_is_refused(host, name, field):
    host.sd_samplers.all_samplers.append(host.sd_samplers.SamplerData(name))
    with pytest.raises(host.ext("errors").UserError, match=f'no "{name}". It needs a model'):
        host.txt2img(**{field: name}, enable_hr=True)
    assert host.called("denoise") == []


def test_every_sampler_of_the_host_is_there_or_replaced_or_refused(host):
    choose = host.ext("choose_sampler")
    lacking = {s.name for s in host.sd_samplers.all_samplers} - set(SAMPLERS)
    assert lacking == {*choose.SAMPLERS_INSTEAD, *choose.SAMPLERS_REFUSED} - {"DDIM CFG++"}
    assert set(choose.SAMPLERS_INSTEAD.values()) <= set(SAMPLERS)


def test_a_schedule_that_is_not_there_is_replaced_and_said(host):
    processed = host.txt2img(sampler_name="Euler", scheduler="Turbo")
    assert host.called("denoise")[0]["scheduler"] == "Automatic"
    assert 'no "Turbo" and used Automatic' in processed.comments
    assert "Kandinsky replaced: schedule type Turbo" in processed.infotexts[0]


def test_what_a_hires_pass_replaces_is_said_for_it(host):
    first = host.txt2img(sampler_name="Restart", scheduler="Beta", enable_hr=True).infotexts[0]
    assert "Kandinsky replaced: sampler Restart" in first
    assert "Kandinsky hires replaced" not in first
    other = host.txt2img(sampler_name="Euler", hr_sampler_name="PLMS", enable_hr=True)
    assert "Kandinsky replaced" not in other.infotexts[0]
    assert "Kandinsky hires replaced: sampler PLMS" in other.infotexts[0]


def test_what_was_replaced_is_not_said_of_the_next_run(host):
    host.txt2img(sampler_name="Restart")
    shared = host.p.extra_generation_params
    later = host.txt2img(sampler_name="Euler", extra_generation_params=shared)
    assert "Kandinsky replaced" not in later.infotexts[0]


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
    with pytest.raises(host.ext("errors").UserError, match="'ddpmm': expected Use same s"):
        host.txt2img(args=host.settings(**{field: "ddpmm"}))


def test_a_pasted_sampler_suits_a_host_without_schedules(host):
    text = host.txt2img(sampler_name="DPM++ 2M", scheduler="Karras").infotexts[0]
    params, _ = host.paste(host.script, text)
    assert (params["Sampler"], params["Schedule type"]) == ("DPM++ 2M", "Karras")
    host.sd_samplers.all_samplers.append(host.sd_samplers.SamplerData("DPM++ 2M Karras"))
    params, _ = host.paste(host.script, text)
    assert params["Sampler"] == "DPM++ 2M Karras"


def test_a_host_without_a_field_for_schedules(host, monkeypatch):
    types = host.processing.StableDiffusionProcessingTxt2Img
    monkeypatch.setattr(types, "defaults", without_scheduler(types.defaults))
    monkeypatch.setattr(host.sd_samplers, "fix_p_invalid_sampler_and_scheduler", lambda p: None)
    host.sd_samplers.all_samplers.append(host.sd_samplers.SamplerData("DPM++ 2M Karras"))
    processed = host.txt2img(sampler_name="DPM++ 2M Karras", enable_hr=True)
    for call in host.called("denoise"):
        assert (call["sampler"], call["scheduler"]) == ("DPM++ 2M", "Karras")
    assert not hasattr(host.p, "scheduler")
    assert "Sampler: DPM++ 2M Karras, Schedule type: Karras" in processed.infotexts[0]
    assert "Hires sampler" not in processed.infotexts[0]


def without_scheduler(defaults):
    def changed(self):
        defaults(self)
        del self.scheduler

    return changed


@pytest.mark.parametrize("name", ["Kandinsky Euler a", "Kandinsky Euler a Karras"])
def test_a_name_out_of_an_images_parameters(host, name):
    """As img2img's batches hand it over."""
    processed = host.txt2img(sampler_name=name)
    assert host.called("denoise")[0]["sampler"] == "Euler a"
    assert processed.comments == ""


def test_a_name_out_of_an_images_parameters_that_the_host_lacks(host):
    processed = host.txt2img(sampler_name="Kandinsky DDPM", enable_hr=True)
    assert [call["sampler"] for call in host.called("denoise")] == ["DDPM", "DDPM"]
    assert processed.comments == ""
    assert "Sampler: Kandinsky DDPM" in processed.infotexts[0]
    assert host.p.sampler_name == "Kandinsky DDPM", "as it was asked for, for its next run"


def test_each_run_of_an_object_has_the_name_that_it_is_given(host):
    class Other:
        @staticmethod
        def run(p):
            for name in ("Kandinsky DDPM", "DDIM", "Kandinsky DDPM"):
                p.sampler_name = name
                host.processing.process_images(p)

    runner = host.scripts.Runner([Hooks(host.twin, (True,))])
    p = host.processing.StableDiffusionProcessingTxt2Img(scripts=runner)
    host.processing.generate(Other, p)
    assert [call["sampler"] for call in host.called("denoise")] == ["DDPM", "DDIM", "DDPM"]


def test_the_hosts_fields_keep_names_that_it_knows(host):
    """It corrects others, and then logs that."""
    host.txt2img(enable_hr=True, scheduler="Beta", args=host.settings(scheduler="Optimized"))
    assert [call["scheduler"] for call in host.called("denoise")] == ["Optimized"] * 2
    assert host.p.scheduler == "Beta"


def test_the_same_object_is_asked_for_the_same_again(host):
    """As a loopback does, and img2img's batches."""

    class Other:
        @staticmethod
        def run(p):
            texts = [host.processing.process_images(p).infotexts[0] for _ in range(2)]
            p.sampler_name = "Euler"
            return [*texts, host.processing.process_images(p).infotexts[0]]

    runner = host.scripts.Runner([Hooks(host.twin, (True,))])
    fields = {"sampler_name": "Kandinsky DDPM", "scheduler": "Turbo", "scripts": runner}
    p = host.processing.StableDiffusionProcessingTxt2Img(**fields)
    texts = host.processing.generate(Other, p)
    assert [call["sampler"] for call in host.called("denoise")] == ["DDPM", "DDPM", "Euler"]
    assert ["Kandinsky replaced: schedule type Turbo" in text for text in texts] == [True] * 3


def test_parameters_in_an_api_call(host):
    """The host reads them without telling that they were pasted."""
    text = host.txt2img(sampler_name="Euler a", scheduler="Karras").infotexts[0]
    params = host.infotext_utils.parse_generation_parameters(text)
    host.txt2img(**host.infotext_utils.sampling_fields(params))
    first, second = host.called("denoise")
    for key in ("sampler", "scheduler"):
        assert first[key] == second[key]


@pytest.mark.parametrize("script", ["Script: Kandinsky", "Kandinsky for other scripts: True"])
@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        ("Kandinsky Euler a", "Euler a"),
        ("Kandinsky DDIM", "DDIM"),
        ("DPM++ 2M Karras", "DPM++ 2M"),
        ("Kandinsky DDPM", "DDIM"),
    ],
)
def test_images_of_earlier_versions_and_other_hosts(host, script, sampler, expected):
    text = f"x\nSteps: 4, Sampler: {sampler}, Schedule type: Karras, Seed: 1, {script}"
    params, _ = host.paste(host.script, text)
    assert host.infotext_utils.sampling_fields(params)["sampler_name"] == expected


def test_the_samplers_in_images_of_others_stay(host):
    text = "x\nSteps: 4, Sampler: DPM adaptive Karras, Schedule type: Karras, Seed: 1"
    params, _ = host.paste(host.script, text)
    assert params["Sampler"] == "DPM adaptive Karras"


def asked(host):
    """The sampler and the levels of noise of each pass since the last look."""
    calls = host.called("denoise")
    found = [(c["sampler"], host.engine.levels(c["sampler"], c["scheduler"])) for c in calls]
    host.calls.clear()
    return found


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_pasted_image_is_generated_with_the_same_levels(host, sampler):
    """Of the schedules, the host's paste turns that which suits the sampler into "Automatic"."""
    known = host.sd_samplers.find_sampler_config(sampler) is not None
    assert known == (sampler != "DDPM")
    args = () if known else host.settings(sampler=sampler)
    for scheduler in SCHEDULERS:
        field = sampler if known else "Euler"
        first = host.txt2img(prompt="x", sampler_name=field, scheduler=scheduler, args=args)
        expected = asked(host)
        again = host.generate_pasted(first.infotexts[0])
        assert asked(host) == expected
        assert again.images[0].tobytes() == first.images[0].tobytes()


def test_the_hosts_paste_knows_what_suits_a_sampler(host):
    text = host.txt2img(sampler_name="DPM++ 2M SDE", scheduler="Exponential").infotexts[0]
    params, _ = host.paste(host.script, text)
    assert params["Schedule type"] == "Exponential"
    assert host.infotext_utils.sampling_fields(params)["scheduler"] == "Automatic"


@pytest.mark.parametrize("sampler", ["DPM++ 2M", "DPM++ 2M SDE", "Euler"])
@pytest.mark.parametrize("hires_sampler", [None, "DPM++ 2M", "DPM++ 2M SDE", "Euler"])
def test_a_pasted_hires_pass_is_generated_with_the_same_levels(host, sampler, hires_sampler):
    for scheduler in ("Automatic", "Karras", "Exponential"):
        for hires_scheduler in (None, "Automatic", "Karras", "Exponential"):
            first = host.txt2img(
                enable_hr=True,
                sampler_name=sampler,
                scheduler=scheduler,
                hr_sampler_name=hires_sampler,
                hr_scheduler=hires_scheduler,
            )
            expected = asked(host)
            params, values = host.paste(host.script, first.infotexts[0])
            fields = host.infotext_utils.sampling_fields(params)
            host.txt2img(args=values, enable_hr=True, **fields)
            assert asked(host) == expected, (scheduler, hires_scheduler)


def test_hires_fields_count_for_their_pass_also_beside_our_own_controls(host):
    first = host.txt2img(
        enable_hr=True,
        args=host.settings(sampler="DDPM", scheduler="Karras"),
        hr_sampler_name="Euler",
        hr_scheduler="Exponential",
    )
    expected = asked(host)
    levels = host.engine.levels
    assert expected == [
        ("DDPM", levels("DDPM", "Karras")),
        ("Euler", levels("Euler", "Exponential")),
    ]
    params, values = host.paste(host.script, first.infotexts[0])
    host.txt2img(args=values, enable_hr=True, **host.infotext_utils.sampling_fields(params))
    assert asked(host) == expected


def test_our_own_controls_count_for_a_hires_pass_with_the_same_sampler(host):
    host.txt2img(enable_hr=True, args=host.settings(sampler="DDPM", scheduler="Karras"))
    assert asked(host) == [("DDPM", host.engine.levels("DDPM", "Karras"))] * 2
