"""What a preset sets, and what it leaves alone."""


def made(host):
    return host.called("encode_prompts")[-1], host.called("denoise")[-1]


def test_a_preset_leaves_the_hosts_sampler_and_steps(host):
    host.txt2img(steps=30, sampler_name="Euler", args=host.settings(preset="fast"))
    texts, denoise = made(host)
    assert texts["prior_num_inference_steps"] == 10
    assert denoise["forecast"] is True
    assert (denoise["sampler"], denoise["num_inference_steps"]) == ("Euler", 30)


def test_or_brings_its_own(host):
    args = host.settings(preset="Fast", preset_steps=True)
    processed = host.txt2img(steps=30, sampler_name="Euler", args=args)
    denoise = made(host)[1]
    assert (denoise["sampler"], denoise["scheduler"]) == ("DPM++ 2M", "Karras")
    assert denoise["num_inference_steps"] == 7
    assert "Steps: 7, Sampler: DPM++ 2M" in processed.infotexts[0]


def test_what_was_set_stays(host):
    own = {"prior_steps": 33, "sampler": "DDPM"}
    host.txt2img(args=host.settings(preset="fast", preset_steps=True, **own))
    texts, denoise = made(host)
    assert texts["prior_num_inference_steps"] == 33
    assert denoise["sampler"] == "DDPM"


def test_images_say_what_it_stood_for_and_bring_that_back(host):
    args = host.settings(preset="fast", preset_steps=True)
    first = host.txt2img(seed=3, args=args)
    assert "Kandinsky forecast: True" in first.infotexts[0]
    assert "Kandinsky prior steps: 10" in first.infotexts[0]
    assert "preset" not in first.infotexts[0]
    _, values = host.paste(host.script, first.infotexts[0])
    again = host.txt2img(seed=3, steps=7, args=values)
    assert again.images[0].tobytes() == first.images[0].tobytes()


def test_exact_changes_nothing(host):
    plain = host.txt2img(seed=3, steps=9)
    exact = host.txt2img(seed=3, steps=9, args=host.settings(preset="exact", preset_steps=True))
    assert exact.images[0].tobytes() == plain.images[0].tobytes()
    assert exact.infotexts[0] == plain.infotexts[0]
