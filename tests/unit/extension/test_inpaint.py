"""Inpainting: what the engine is asked for, and what stays as it was."""

import numpy as np
import pytest
from PIL import Image, ImageDraw


@pytest.fixture
def photo():
    pixels = np.random.default_rng(3).integers(0, 256, (128, 192, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def box_mask(size=(192, 128), box=(64, 32, 127, 95)):
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    return mask


def inpaint(host, photo, mask, **values):
    values = {"width": 192, "height": 128, "prompt": "x", "mask_blur": 0, **values}
    return host.img2img(photo, image_mask=mask, **values)


def difference(image, photo):
    return np.abs(np.asarray(image, dtype=int) - np.asarray(photo, dtype=int)).max(axis=2)


@pytest.mark.parametrize("fill", [0, 1, 2, 3])
@pytest.mark.parametrize("only_masked", [False, True])
@pytest.mark.parametrize("blur", [0, 4])
def test_pixels_outside_are_identical(host, photo, fill, only_masked, blur):
    processed = inpaint(
        host,
        photo,
        box_mask(),
        inpainting_fill=fill,
        inpaint_full_res=only_masked,
        inpaint_full_res_padding=16,
        mask_blur=blur,
        batch_size=2,
    )
    overlay = np.asarray(host.p.mask_for_overlay)
    for image in processed.images[1:]:
        assert image.size == photo.size
        changed = difference(image, photo)
        assert (changed[overlay == 0] == 0).all()
        assert changed[60:68, 90:100].max() > 0
    assert host.scripts.swallowed == []


def test_the_mask_reaches_the_engine_at_latent_size(host, photo):
    inpaint(host, photo, box_mask(), inpaint_full_res=False, batch_size=2)
    call = host.called("denoise")[0]
    expected = np.zeros((2, 1, 16, 24), dtype=np.float32)
    expected[:, :, 4:12, 8:16] = 1
    assert (call["mask"] == expected).all()
    assert call["mask_method"] == "auto"
    assert call["init_latents"].shape == (2, 4, 16, 24)


def test_an_inverted_mask(host, photo):
    inpaint(host, photo, box_mask(), inpaint_full_res=False, inpainting_mask_invert=1)
    mask = host.called("denoise")[0]["mask"][0, 0]
    assert mask[6, 10] == 0
    assert mask[0, 0] == 1


@pytest.mark.parametrize("size", [(300, 200), (65, 63)])
def test_any_size(host, size):
    photo = Image.fromarray(np.random.default_rng(3).integers(0, 256, (*size[::-1], 3), np.uint8))
    mask = box_mask(size, (8, 8, 39, 39))
    processed = inpaint(host, photo, mask, inpaint_full_res=False, width=size[0], height=size[1])
    image = processed.images[0]
    assert image.size == size
    assert (difference(image, photo)[np.asarray(mask) == 0] == 0).all()
    mask = host.called("denoise")[0]["mask"][0, 0]
    assert mask.shape == tuple(-(-side // 64) * 8 for side in size[::-1])


def test_a_mask_at_the_border_goes_on_behind_it(host):
    photo = Image.new("RGB", (72, 72), "red")
    mask = box_mask((72, 72), (40, 0, 71, 71))
    inpaint(host, photo, mask, inpaint_full_res=False, width=72, height=72)
    generated = host.called("denoise")[0]["mask"][0, 0]
    assert generated.shape == (16, 16)
    assert generated[:, 5:].all()
    assert not generated[:, :5].any()


@pytest.mark.parametrize("only_masked", [False, True])
def test_a_black_mask_changes_nothing(host, photo, only_masked):
    mask = Image.new("L", photo.size, 0)
    processed = inpaint(
        host, photo, mask, inpaint_full_res=only_masked, denoising_strength=0 if only_masked else 1
    )
    assert (difference(processed.images[0], photo) == 0).all()
    assert host.called("denoise") == []


def test_a_soft_mask_as_the_soft_inpainting_script_makes_it(host, photo):
    class Soft:
        def process(self, p):
            p.mask_round = False

    inpaint(
        host,
        photo,
        box_mask(),
        mask_blur=16,
        inpaint_full_res=False,
        scripts=host.scripts.Runner([Soft()]),
    )
    values = np.unique(host.called("denoise")[0]["mask"])
    assert len(values) > 2
    assert values.min() >= 0
    assert values.max() <= 1
    assert host.scripts.swallowed == []


def test_what_generated_is_in_the_metadata(host, photo):
    assert "Kandinsky inpaint: blend" in inpaint(host, photo, box_mask()).infotexts[0]
    assert "inpaint" not in host.img2img(photo).infotexts[0]
    host.ext("engine").keeper.unload()
    (host.models / "Kandinsky" / "toy-inpaint").mkdir()
    processed = inpaint(host, photo, box_mask())
    assert "Kandinsky inpaint: model" in processed.infotexts[0]
    _, values = host.paste(host.img2img_script, processed.infotexts[0])
    inpaint(host, photo, box_mask(), args=values)
    assert host.called("denoise")[-1]["mask_method"] == "model"


def test_a_chosen_method_that_is_not_there_is_the_engines_to_say(host, photo):
    with pytest.raises(host.ext("errors").UserError, match=r'"Inpaint with": .* no inpainting'):
        inpaint(host, photo, box_mask(), args=host.settings(inpaint_method="model"))


def test_a_batch_member_is_the_same_alone(host, photo):
    batch = inpaint(host, photo, box_mask(), batch_size=2, inpainting_fill=3, seed=8)
    alone = inpaint(host, photo, box_mask(), inpainting_fill=3, seed=9)
    assert alone.images[0].tobytes() == batch.images[2].tobytes()


@pytest.mark.parametrize("method", ["auto", "model", "blend"])
def test_latents_stay_around_the_mask_where_a_script_blends_instead_of_the_host(
    host, photo, method
):
    """As soft inpainting does: at the end it takes what the sampler gives."""
    host.toy.with_name("toy-inpaint").mkdir()
    seen = []

    class Soft:
        def on_mask_blend(self, p, args):
            seen.append((args.current_latent.clone(), args.init_latent, args.nmask))
            args.blended_latent = args.current_latent

    inpaint(
        host,
        photo,
        box_mask(),
        inpaint_full_res=False,
        scripts=host.scripts.Runner([Soft()]),
        args=host.settings(inpaint_method=method),
    )
    ((latents, start, mask),) = seen
    assert (latents != start)[mask.expand_as(latents) == 1].any()
    assert (latents == start)[mask.expand_as(latents) == 0].all()
