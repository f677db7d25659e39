"""Tileable pictures: the host's checkbox, which must not reach the host's own model."""

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
    with pytest.raises(host.engine.InvalidArgumentError):
        host.txt2img(tiling=True, steps=1000)
    assert host.p.tiling is True


def test_sizes_that_cannot_be_tiled_are_the_engines_to_refuse(host):
    with pytest.raises(host.engine.InvalidArgumentError, match="multiples of 64"):
        host.txt2img(tiling=True, width=200)
