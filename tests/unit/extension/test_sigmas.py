"""Noise levels that are named one by one."""

import pytest
from PIL import Image

LEVELS = "14.6, 6.5, 2.7, 0.5"
PHOTO = Image.new("RGB", (64, 64))


def made(host):
    return [
        (call["sigmas"], call["num_inference_steps"], int(call["num_inference_steps"] * part))
        for call in host.called("denoise")
        for part in [1 if call["init_latents"] is None else call["strength"]]
    ]


def test_they_are_the_steps_and_metadata_bring_them_back(host):
    first = host.txt2img(steps=30, args=host.settings(sigmas=f" {LEVELS} "))
    assert made(host) == [(LEVELS, 4, 4)]
    assert "Steps: 4, " in first.infotexts[0]
    _, values = host.paste(host.script, first.infotexts[0])
    again = host.txt2img(args=values)
    assert again.images[0].tobytes() == first.images[0].tobytes()
    assert again.infotexts == first.infotexts
    assert host.txt2img(steps=30).infotexts[0].count("Steps: 30") == 1


def test_a_prompt_that_changes_counts_them(host):
    host.txt2img(prompt="[a:b:0.5]", steps=30, args=host.settings(sigmas=LEVELS))
    rows = [(one.first_step, one.last_step) for one in host.called("denoise")[0]["conditions"]]
    assert rows == [(1, 3), (4, 4)]


def test_they_win_over_a_presets_steps(host):
    host.txt2img(args=host.settings(sigmas=LEVELS, preset="fast", preset_steps=True))
    assert made(host) == [(LEVELS, 4, 4)]


@pytest.mark.parametrize(("fixed", "running"), [(False, 3), (True, 2)])
def test_image_to_image_runs_the_last_ones(host, fixed, running):
    host.shared.opts.img2img_fix_steps = fixed
    host.img2img(PHOTO, denoising_strength=0.5, steps=30, args=host.settings(sigmas=LEVELS))
    assert made(host) == [(LEVELS, 4, running)]


@pytest.mark.parametrize("steps", [0, 2, 10])
def test_a_hires_pass_has_them_whatever_its_steps(host, steps):
    host.txt2img(
        enable_hr=True,
        hr_second_pass_steps=steps,
        denoising_strength=0.5,
        args=host.settings(sigmas=LEVELS),
    )
    assert made(host) == [(LEVELS, 4, 4), (LEVELS, 4, 2)]


def test_what_runs_inside_with_other_steps_has_them_too(host):
    """A detailer's own processing object, which nobody prepares."""
    p = host.processing.StableDiffusionProcessingTxt2Img(steps=30)
    run, settings = host.ext("host.run"), host.ext("controls").read_named({"sigmas": LEVELS})
    job = run.make_job(p, settings)
    with host.ext("host.wishes").options_of(p), host.ext("host.backend").in_force(job):
        host.ext("host.wishes").switch_off(p)
        host.processing.process_images(p)
    assert made(host) == [(LEVELS, 4, 4)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("many", "\"Noise levels\" is 'many': expected numbers separated by commas"),
        ([1], r'"Noise levels" is \[1\]: expected numbers'),
        ("1, 2", '"Noise levels": sigmas has a number that does not fall'),
    ],
)
def test_what_cannot_be_is_said_with_the_controls_name(host, given, words):
    with pytest.raises(host.ext("errors").UserError, match=words):
        host.txt2img(args=host.settings(sigmas=given))


def test_a_program_may_send_one_number(host):
    host.txt2img(args=host.settings(sigmas=14))
    assert made(host) == [("14", 1, 1)]
