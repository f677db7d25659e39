"""The map from latents to preview colours."""

import numpy as np
import pytest


@pytest.fixture
def preview(bare_host):
    return bare_host.ext("preview")


def test_the_chart_is_fixed_and_full_of_colours(preview):
    chart = preview.chart(256)
    assert chart.shape == (256, 256, 3)
    assert (chart == preview.chart(256)).all()
    assert chart.min() == 0
    assert chart.max() == 255
    corners = {tuple(c) for c in (chart[::4, ::4].reshape(-1, 3) > 127).tolist()}
    assert len(corners) == 8, "every corner of the colour cube"


def test_an_affine_encoder_is_recovered(preview):
    random = np.random.default_rng(1)
    forward, shift = random.normal(size=(4, 3)), random.normal(size=4)
    image = preview.chart(128)[None]
    blocks = image.reshape(1, 16, 8, 16, 8, 3).mean(axis=(2, 4))
    latents = np.moveaxis(blocks @ forward.T + shift, -1, 1).astype(np.float32)
    back = preview.fit(latents, image).images(latents)
    assert abs(back.astype(float) - blocks).max() <= 1


def test_what_is_no_number_is_a_colour_all_the_same(preview):
    projection = preview.Projection(np.ones((5, 3)))
    latents = np.full((1, 4, 2, 2), np.nan, dtype=np.float32)
    latents[..., 0] = np.inf
    assert projection.images(latents).shape == (1, 2, 2, 3)
