"""Settings of the host that do nothing here, and the one remark that names them."""

from types import SimpleNamespace

import pytest
from PIL import Image

SET = {
    "CLIP_stop_at_last_layers": (2, "Clip skip"),
    "eta_ddim": (0.5, "Eta for DDIM"),
    "eta_ancestral": (0.5, "Eta for k-diffusion samplers"),
    "eta_noise_seed_delta": (31337, "Eta noise seed delta"),
    "sigma_min": (0.1, "sigma min"),
    "sigma_max": (9.0, "sigma max"),
    "rho": (3.0, "rho"),
    "s_churn": (0.5, "sigma churn"),
    "s_tmin": (0.1, "sigma tmin"),
    "s_tmax": (9.0, "sigma tmax"),
    "s_noise": (1.01, "sigma noise"),
    "s_min_uncond": (2.0, "Negative Guidance minimum sigma"),
    "token_merging_ratio": (0.5, "Token merging ratio"),
    "skip_early_cond": (0.2, "Ignore negative prompt during early sampling"),
    "beta_dist_alpha": (0.5, "Beta scheduler - alpha"),
    "uni_pc_order": (2, "UniPC order"),
}


@pytest.mark.parametrize("key", SET)
@pytest.mark.parametrize("overridden", [False, True])
def test_what_is_set_is_named(host, key, overridden):
    value, name = SET[key]
    if overridden:
        processed = host.txt2img(override_settings={key: value})
    else:
        setattr(host.shared.opts, key, value)
        processed = host.txt2img()
    assert processed.comments == f"Settings: Kandinsky ignores {name}.\n"


def test_one_remark_names_them_all(host):
    host.shared.opts.CLIP_stop_at_last_layers = 2
    host.shared.opts.rho = 3.0
    comments = host.txt2img(batch_size=2, n_iter=2, s_churn=0.5).comments
    assert comments == "Settings: Kandinsky ignores Clip skip, rho, sigma churn.\n"


@pytest.mark.parametrize(
    ("title", "arguments", "is_named"),
    [
        ("ControlNet", (SimpleNamespace(enabled=False), SimpleNamespace(enabled=True)), True),
        ("ControlNet", ({"enabled": True, "module": "canny"},), True),
        ("ControlNet", (SimpleNamespace(enabled=False), {"enabled": False}, "x"), False),
        ("FreeU Integrated (SD 1.x, SD 2.x, SDXL)", (True, 1.1), True),
        ("FreeU Integrated (SD 1.x, SD 2.x, SDXL)", (False, True), False),
        ("ADetailer", (True, False), False),
    ],
)
def test_extensions_that_change_a_network_are_named_where_they_are_on(
    host, title, arguments, is_named
):
    script = SimpleNamespace(title=lambda: title, args_from=1, args_to=1 + len(arguments))
    runner = host.scripts.Runner()
    runner.alwayson_scripts = [script]
    processed = host.txt2img(scripts=runner, script_args=(0, *arguments, True))
    expected = f"Extensions: Kandinsky ignores {title}.\n" if is_named else ""
    assert processed.comments == expected


@pytest.mark.parametrize(
    ("is_on", "is_masked", "is_named"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_what_of_soft_inpainting_does_nothing_is_named(host, is_on, is_masked, is_named):
    script = SimpleNamespace(title=lambda: "Soft Inpainting", args_from=1, args_to=3)
    runner = host.scripts.Runner()
    runner.alwayson_scripts = [script]
    mask = Image.new("L", (128, 128), 255) if is_masked else None
    processed = host.img2img(
        Image.new("RGB", (128, 128)),
        image_mask=mask,
        scripts=runner,
        script_args=(0, is_on, 1.0, True),
    )
    assert (
        "Soft inpainting: Kandinsky's steps blend by the mask" in processed.comments
    ) == is_named


@pytest.mark.parametrize(
    ("key", "img2img", "hires"),
    [
        ("token_merging_ratio_img2img", True, False),
        ("token_merging_ratio_hr", False, True),
        ("img2img_extra_noise", True, True),
    ],
)
def test_what_would_do_nothing_in_this_run_anyway_is_not_named(host, key, img2img, hires):
    setattr(host.shared.opts, key, 0.3)
    label = host.shared.opts.data_labels[key].label
    assert host.txt2img().comments == ""
    assert (label in host.txt2img(enable_hr=True).comments) == hires
    assert (label in host.img2img(Image.new("RGB", (128, 128))).comments) == img2img


@pytest.mark.parametrize(("eta", "named"), [(None, False), (0, False), (1.0, False), (0.3, True)])
def test_an_eta_of_the_callers_own(host, eta, named):
    """Clients of the web API send a default one with each call."""
    assert ("ignores Eta." in host.txt2img(eta=eta).comments) == named


def test_set_to_the_default_it_is_not_named(host):
    host.shared.opts.CLIP_stop_at_last_layers = 1
    assert host.txt2img(s_tmax=0.0, s_noise=1, s_churn=0).comments == ""


def test_a_host_without_such_settings(host):
    for key in SET:
        # The stand-in reads some of them.
        host.shared.opts.data[key] = 0
        del host.shared.opts.data_labels[key]
    assert host.txt2img().comments == ""
