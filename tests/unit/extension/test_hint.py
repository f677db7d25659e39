"""Depth control: the slot for a map, and the models that need one."""

from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from .conftest import make_model
from .test_mixing import encoded
from .test_ui import draw, find

MAP = Image.fromarray(np.arange(64 * 48, dtype=np.uint16).astype(np.uint8).reshape(48, 64))
OTHER = Image.new("L", (64, 48), 9)
COLOURED = Image.merge("RGB", [MAP, OTHER, MAP.transpose(Image.Transpose.ROTATE_180)])


@pytest.fixture
def depth(host):
    """The name of a model that needs a hint."""
    make_model(host.toy.parent / "depth", role="hint")
    return "depth"


def hints(host):
    return [call["hints"] for call in host.called("denoise")]


def test_the_map_and_its_part_of_the_steps_reach_the_engine(host, depth):
    args = host.settings(model=depth, hint=MAP, hint_start=0.25, hint_end=0.75)
    host.txt2img(prompt="x", batch_size=2, args=args)
    (call,) = host.called("denoise")
    assert (call["hint_start"], call["hint_end"]) == (0.25, 0.75)
    assert np.array_equal(call["hints"], [np.asarray(MAP)])


def test_other_models_get_none(host):
    host.txt2img(prompt="x", args=host.settings(hint_start=0.25))
    assert hints(host) == [None]


def test_img2img_and_both_passes_of_hires_fix_follow_it(host, depth):
    args = host.settings(model=depth, hint=MAP)
    host.img2img(Image.new("RGB", (64, 64)), args=args)
    host.txt2img(enable_hr=True, args=args)
    assert all(np.array_equal(one, [np.asarray(MAP)]) for one in hints(host))
    assert len(hints(host)) == 3


def test_where_only_a_part_is_inpainted_it_follows_that_part(host, depth):
    """The map is half as large as the image."""
    mask = Image.new("L", (128, 96))
    mask.paste(255, (32, 16, 64, 48))
    host.img2img(
        Image.new("RGB", (128, 96)),
        image_mask=mask,
        mask_blur=0,
        inpaint_full_res=True,
        inpaint_full_res_padding=0,
        width=64,
        height=64,
        args=host.settings(model=depth, hint=MAP),
    )
    assert host.p.paste_to == (32, 16, 32, 32)
    assert np.array_equal(hints(host)[0], [np.asarray(MAP)[8:24, 16:32]])


@pytest.mark.parametrize("mode", [1, 2])
@pytest.mark.parametrize("source", [MAP, COLOURED, Image.new("L", (65, 7), 9)])
def test_in_img2img_it_is_resized_as_the_host_resizes_the_image(
    host, depth, monkeypatch, mode, source
):
    """The host's own arithmetic, to the byte; but a host's upscalers are for photographs."""
    upscalers = []
    resize_image = host.images.resize_image

    def watched(*args, upscaler_name=None):
        upscalers.append(upscaler_name)
        return resize_image(*args)

    monkeypatch.setattr(host.images, "resize_image", watched)
    args = host.settings(model=depth, hint=source)
    host.img2img(Image.new("RGB", (128, 96)), resize_mode=mode, width=64, height=48, args=args)
    host.img2img(source, resize_mode=mode, width=64, height=48, args=args)
    expected = np.asarray(resize_image(mode, source.convert("RGB"), 64, 48))
    assert all(np.array_equal(one, [expected]) for one in hints(host))
    assert upscalers == [None, "None"] * 2


@pytest.mark.parametrize("mode", [0, 3])
def test_where_an_image_is_stretched_so_is_the_map_by_the_engine(host, depth, mode):
    args = host.settings(model=depth, hint=MAP)
    host.img2img(Image.new("RGB", (128, 96)), resize_mode=mode, width=64, height=64, args=args)
    assert np.array_equal(hints(host)[0], [np.asarray(MAP)])


def test_what_is_transparent_of_a_resized_map_is_white_as_for_the_engine(host, depth):
    clear = Image.new("RGBA", (96, 96), (0, 0, 0, 0))
    args = host.settings(model=depth, hint=clear)
    host.img2img(Image.new("RGB", (96, 96)), resize_mode=1, width=64, height=64, args=args)
    assert (hints(host)[0][0] == 255).all()


def test_a_map_that_cannot_be_resized_is_named(host, depth):
    """Of 400 x 3 pixels nothing is left that would fit in."""
    args = host.settings(model=depth, hint=Image.new("L", (3, 400)))
    with pytest.raises(host.ext("errors").UserError, match='"Depth map": 3 x 400 pixels cannot'):
        host.img2img(Image.new("RGB", (64, 64)), resize_mode=2, width=512, height=8, args=args)


def test_hires_fix_cuts_it_as_it_cuts_the_image(host, depth):
    """Of an image of 128 x 64 that is made 192 x 96 large, 96 x 96 are kept."""
    p = SimpleNamespace(
        is_hr_pass=True, hr_upscale_to_x=192, hr_upscale_to_y=96, truncate_x=12, truncate_y=0
    )
    pixels = np.arange(64 * 128, dtype=np.uint16).astype(np.uint8).reshape(64, 128)
    wishes = host.ext("host.wishes").Wishes(hint=pixels)
    assert np.array_equal(wishes.hint_for(p), pixels[:, 32:96])


def test_the_smallest_part_is_a_pixel(host):
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    part = host.ext("hint").part(pixels, (20, 10, 2, 2), (30, 20))
    assert part.tolist() == [[5]]


def test_it_is_inpainted_without_the_inpainting_model_which_takes_none(host, depth):
    make_model(host.toy.parent / f"{depth}-inpaint", role="inpaint")
    mask = Image.new("L", (64, 64))
    mask.paste(255, (16, 16, 48, 48))
    processed = host.img2img(
        Image.new("RGB", (64, 64)),
        image_mask=mask,
        inpaint_full_res=False,
        width=64,
        height=64,
        args=host.settings(model=depth, hint=MAP),
    )
    assert "Kandinsky inpaint: blend" in processed.infotexts[0]


def test_a_map_from_the_api_is_text(host, depth):
    from_page = host.txt2img(prompt="x", args=host.settings(model=depth, hint=MAP))
    from_api = host.txt2img(prompt="x", args=host.settings(model=depth, hint=encoded(MAP)))
    assert from_api.images[0].tobytes() == from_page.images[0].tobytes()
    assert from_api.infotexts == from_page.infotexts


@pytest.mark.parametrize(
    ("model", "image", "words"),
    [
        ("toy", MAP, '"Depth map": the model toy takes none. Remove it, or choose'),
        ("depth", None, '"Depth map": the model depth needs one. .* please choose it again'),
        ("depth", "no base64!", '"Depth map" is not an image'),
    ],
)
def test_what_cannot_be_is_said(host, depth, model, image, words):
    with pytest.raises(host.ext("errors").UserError, match=words):
        host.txt2img(args=host.settings(model=model, hint=image))
    assert host.called("encode_prompts") == []


def test_metadata_name_what_can_be_set_again_and_the_maps_hash(host, depth):
    args = host.settings(model=depth, hint=MAP, hint_end=0.5)
    first = host.txt2img(prompt="x", args=args)
    params, values = host.paste(host.script, first.infotexts[0])
    assert len(params["Kandinsky hint"]) == 10
    assert "Kandinsky hint end: 0.5" in first.infotexts[0]
    with pytest.raises(host.ext("errors").UserError, match="choose it again"):
        host.txt2img(prompt="x", args=values)
    _, values = host.paste(host.script, first.infotexts[0], args=host.settings(hint=MAP))
    again = host.txt2img(prompt="x", args=values)
    assert again.images[0].tobytes() == first.images[0].tobytes()
    assert again.infotexts == first.infotexts
    other = host.txt2img(prompt="x", args=host.settings(model=depth, hint=OTHER, hint_end=0.5))
    assert other.infotexts != first.infotexts


def test_an_image_without_a_map_says_nothing_of_it(host, depth):
    shared = {}
    args = host.settings(model=depth, hint=MAP, hint_end=0.5)
    host.txt2img(args=args, extra_generation_params=shared)
    later = host.txt2img(args=host.settings(hint_end=0.5), extra_generation_params=shared)
    assert "hint" not in later.infotexts[0]


def test_automatic_takes_a_model_that_needs_none(host):
    """Also where its name comes first."""
    make_model(host.toy.parent / "a-depth", role="hint")
    models, tools = host.ext("models"), host.ext("host.tools")
    assert models.names(tools.model_roots()) == ["Automatic", "toy", "a-depth"]
    assert "Kandinsky model: toy" in host.txt2img().infotexts[0]


def panel(page):
    return find(page, "_hint_panel")


def changed(page, ending):
    """What happens where a widget has changed."""
    widget = find(page, ending)
    return next(
        page.fns[i].fn
        for i, dependency in enumerate(page.dependencies)
        if widget._id in dependency["targets"] and panel(page)._id in dependency["outputs"]
    )


def test_the_slot_is_seen_with_a_model_that_needs_it_and_while_it_is_filled(host, depth):
    page, _ = draw(host)
    assert not panel(page).visible
    for ending in ("_model", "_hint"):
        seen = changed(page, ending)
        assert seen(depth, None)["visible"]
        assert not seen("toy", None)["visible"]
        assert not seen("gone", None)["visible"]
        assert seen("toy", MAP)["visible"], "what stands in the way is to be seen"


def test_the_slot_is_seen_at_first_where_there_is_no_other_model(host):
    (host.toy / "model_index.json").unlink()
    make_model(host.toy.parent / "depth", role="hint")
    with gr.Blocks() as page:
        host.img2img_script.ui(True)
    assert panel(page).visible
