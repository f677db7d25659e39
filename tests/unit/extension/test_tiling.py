"""Tileable images: the host's checkbox and setting, which must not reach the host's own model.
And settings that are overridden for one run.
"""

import pytest
from PIL import Image


def test_the_wish_reaches_every_stage_and_the_metadata(host):
    processed = host.img2img(Image.new("RGB", (128, 128)), tiling=True)
    assert host.called("denoise")[0]["tiling"] is True
    assert host.called("decode")[0]["tiling"] is True
    assert True in [call["tiling"] for call in host.called("encode")]
    assert "Tiling: True" in processed.infotexts[0]


def test_without_the_wish(host):
    text = host.txt2img().infotexts[0]
    assert host.called("denoise")[0]["tiling"] is False
    assert "Tiling" not in text


def test_the_hosts_default_counts(host):
    host.shared.opts.tiling = True
    host.txt2img()
    assert host.called("denoise")[0]["tiling"] is True


def test_the_wish_outlives_the_run_as_batches_of_files_need(host):
    host.txt2img(tiling=True)
    assert host.p.tiling is True
    for values, error in (
        ({"steps": 1000}, host.engine.InvalidArgumentError),
        ({"args": host.settings(mix=True)}, host.ext("errors").UserError),
    ):
        with pytest.raises(error):
            host.txt2img(tiling=True, **values)
        assert host.p.tiling is True


def test_sizes_that_cannot_be_tiled_are_the_engines_to_refuse(host):
    with pytest.raises(host.engine.InvalidArgumentError, match="multiples of 64"):
        host.txt2img(tiling=True, width=200)


class SettingsInUi:
    """The host's own panel of settings, which may come before ours or after it."""

    def __init__(self, **settings):
        self.settings = settings

    def before_process(self, p):
        for name, value in self.settings.items():
            p.override_settings.setdefault(name, value)


def through_the_panel(host, *hooks, **values):
    """The same run with another script, or none, chosen and ours only switched on."""
    twin = host.twin

    class Panel:
        def setup(self, p):
            twin.setup(p, True)

        def before_process(self, p):
            twin.before_process(p)

    hooks = [Panel() if hook is twin else hook for hook in hooks]
    host.p = host.processing.StableDiffusionProcessingTxt2Img(
        scripts=host.scripts.Runner(hooks), **values
    )
    return host.processing.generate(None, host.p)


def each_way(host, name, value, **values):
    """Runs with a setting overridden for the run, in every way that a host has."""
    override = {name: value}
    in_ui = SettingsInUi(**override)
    yield lambda: host.txt2img(override_settings=override, **values)
    yield lambda: host.txt2img(scripts=host.scripts.Runner([in_ui]), **values)
    yield lambda: through_the_panel(host, host.twin, override_settings=override, **values)
    yield lambda: through_the_panel(host, in_ui, host.twin, **values)
    yield lambda: through_the_panel(host, host.twin, in_ui, **values)


@pytest.mark.parametrize("way", range(5))
def test_a_setting_overridden_for_the_run_counts(host, way):
    run = list(each_way(host, "tiling", True))[way]
    processed = run()
    assert host.called("denoise")[0]["tiling"] is True
    assert host.called("decode")[0]["tiling"] is True
    assert "Tiling: True" in processed.infotexts[0]
    assert host.scripts.swallowed == []


@pytest.mark.parametrize("way", range(5))
def test_the_checkbox_wins_over_a_setting_overridden_for_the_run(host, way):
    run = list(each_way(host, "tiling", True, tiling=False))[way]
    assert "Tiling" not in run().infotexts[0]
    assert host.called("denoise")[0]["tiling"] is False


@pytest.mark.parametrize("way", range(5))
def test_brackets_overridden_for_the_run_are_read_and_said(host, way):
    run = list(each_way(host, "emphasis", "None", prompt="(a:1.3)"))[way]
    text = run().infotexts[0]
    assert host.called("encode_prompts")[0]["parse_weights"] is False
    assert "Emphasis: None" in text
    assert host.p.params_txt == text


def test_an_image_is_encoded_as_it_is_generated(host):
    host.img2img(Image.new("RGB", (128, 128)), override_settings={"tiling": True})
    assert True in [call["tiling"] for call in host.called("encode")]


def test_an_override_that_takes_the_setting_back(host):
    host.shared.opts.tiling, host.shared.opts.emphasis = True, "Ignore"
    text = host.txt2img(
        prompt="(a:1.3)", override_settings={"tiling": False, "emphasis": "Original"}
    ).infotexts[0]
    assert host.called("denoise")[0]["tiling"] is False
    assert host.called("encode_prompts")[0]["parse_weights"] is True
    assert "Tiling" not in text
    assert "Emphasis" not in text
