"""The panel that mixes what guides an image on its image side."""

import base64
import io

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from support import image_bytes

RED, BLUE = Image.new("RGB", (40, 30), (200, 0, 0)), Image.new("RGB", (64, 64), (0, 0, 200))


def mixed(host, **named):
    return host.settings(mix=True, **{"mix_image_2": RED, **named})


def weights(host):
    return [call["weights"] for call in host.called("combine")]


def test_off_it_costs_nothing(host):
    plain = host.txt2img(prompt="x").images[0]
    off = host.txt2img(prompt="x", args=host.settings(mix_image_2=RED, mix_strength_1=2)).images[0]
    assert plain.tobytes() == off.tobytes()
    assert host.called("encode_images") == host.called("combine") == []


def test_prompt_and_image(host):
    processed = host.txt2img(prompt="x", batch_size=2, args=mixed(host, mix_strength_2=1.5))
    (call,) = host.called("combine")
    assert (call["weights"], call["method"]) == ([0.5, 1.5], "sum")
    prompts, image = call["images"]
    assert prompts.shape == (2, 3)
    assert (image == [[200, 0, 0]]).all()
    assert processed.images[1].tobytes() != processed.images[2].tobytes()
    assert len(host.called("encode_prompts")) == 1
    assert len(host.called("encode_images")) == 1


def test_two_images_in_txt2img(host):
    host.txt2img(prompt="x", batch_size=2, args=mixed(host, mix_image_1=BLUE))
    first, second = host.called("combine")[0]["images"]
    assert (first == [[0, 0, 200]] * 2).all()
    assert (second == [[200, 0, 0]]).all()


def test_img2img_mixes_its_own_image(host):
    host.img2img(BLUE, prompt="x", args=mixed(host))
    first, _ = host.called("combine")[0]["images"]
    assert (first == [[0, 0, 200]]).all()
    assert host.called("denoise")[0]["init_latents"] is not None


def test_img2img_with_an_image_of_its_own_for_each(host):
    host.img2img(BLUE, RED, batch_size=2, prompt="[a:b:0.5]", steps=8, args=mixed(host))
    first, _ = host.called("combine")[0]["images"]
    assert first.tolist() == [[0, 0, 200], [0, 0, 200], [200, 0, 0], [200, 0, 0]]


def test_img2img_can_mix_the_prompt_instead(host):
    host.img2img(BLUE, prompt="x", args=mixed(host, mix_items="Prompt + image"))
    first, _ = host.called("combine")[0]["images"]
    assert (first != [[0, 0, 200]]).any()


def test_under_a_mask(host):
    mask = Image.new("L", BLUE.size, 0)
    mask.paste(255, (16, 16, 48, 48))
    processed = host.img2img(
        BLUE, image_mask=mask, inpaint_full_res=False, args=mixed(host), width=64, height=64
    )
    assert len(host.called("combine")) == 1
    assert host.called("denoise")[0]["mask"] is not None
    assert processed.images[0].getpixel((0, 0)) == (0, 0, 200)


def test_in_both_passes_of_hires_fix(host):
    host.txt2img(prompt="x", enable_hr=True, args=mixed(host))
    assert weights(host) == [[0.5, 0.5]] * 2
    assert len(host.called("image_encoder")) == 1


def test_each_row_of_a_changing_prompt_is_mixed(host):
    host.txt2img(prompt="[a|b]", steps=4, args=mixed(host))
    assert host.called("combine")[0]["images"][0].shape == (2, 3)


def test_an_image_is_looked_at_once(host):
    for strength in (0.5, 1.0):
        host.txt2img(prompt="x", args=mixed(host, mix_strength_1=strength))
    assert len(host.called("image_encoder")) == 1
    assert len(host.called("prior")) == 1


def encoded(image, prefix=""):
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return prefix + base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,"])
def test_images_from_the_api_are_text(host, prefix):
    from_page = host.txt2img(prompt="x", args=mixed(host))
    from_api = host.txt2img(prompt="x", args=mixed(host, mix_image_2=encoded(RED, prefix)))
    assert from_api.images[0].tobytes() == from_page.images[0].tobytes()
    assert from_api.infotexts == from_page.infotexts


def test_images_as_arrays(host):
    from_page = host.txt2img(prompt="x", args=mixed(host))
    as_array = host.txt2img(prompt="x", args=mixed(host, mix_image_2=np.asarray(RED)))
    assert as_array.images[0].tobytes() == from_page.images[0].tobytes()


@pytest.mark.parametrize("given", ["no base64!", "aGVsbG8=", 7, [["x"]]])
def test_what_is_no_image_is_said(host, given):
    with pytest.raises(host.ext("errors").UserError, match=r'"Image 2" is not an image'):
        host.txt2img(args=mixed(host, mix_image_2=given))
    assert host.called("encode_prompts") == []


@pytest.mark.parametrize(
    ("mode", "shape"),
    [
        ("L", (4, 6)),
        ("RGB", (4, 6, 3)),
        ("RGBA", (4, 6, 4)),
        ("P", (4, 6, 3)),
        ("LA", (4, 6, 4)),
        ("CMYK", (4, 6, 3)),
        ("1", (4, 6, 3)),
    ],
)
def test_images_of_all_kinds(host, mode, shape):
    host.txt2img(args=mixed(host, mix_image_2=Image.new(mode, (6, 4))))
    assert host.called("encode_images")[0]["shapes"] == [shape]


def pixels_of(host, file):
    """What is mixed of a file that comes through the web API, and through the page."""
    with gr.Blocks():
        component = next(one for one in host.script.ui(False) if isinstance(one, gr.Image))
    from_page = component.preprocess("data:image/png;base64," + base64.b64encode(file).decode())
    to_pixels = host.ext("mixing").to_pixels
    return to_pixels(Image.open(io.BytesIO(file))), to_pixels(from_page)


def test_sixteen_bits_keep_the_high_ones(host):
    """Pillow's own conversion would make nearly all of them white."""
    values = np.arange(0, 65536, 2731, dtype=np.uint16).reshape(4, 6, 1)
    for pixels in pixels_of(host, image_bytes.png(values, 16, image_bytes.GREY)):
        assert np.array_equal(pixels, values[..., 0] >> 8)


@pytest.mark.parametrize(
    ("values", "depth", "colour", "key"),
    [
        ([[[7], [8]]], 8, image_bytes.GREY, [7]),
        ([[[0x1234], [0x1235]]], 16, image_bytes.GREY, [0x1234]),
        ([[[1, 2, 3], [1, 2, 4]]], 8, image_bytes.RGB, [1, 2, 3]),
    ],
)
def test_a_key_colour_is_transparent(host, values, depth, colour, key):
    samples = np.array(values, np.uint16)
    transparent = (b"tRNS", np.array(key, ">u2").tobytes())
    file = image_bytes.png(samples, depth, colour, before=[transparent])
    high = np.broadcast_to(samples >> (depth - 8), (1, 2, 3))
    for pixels in pixels_of(host, file):
        assert pixels[..., 3].tolist() == [[0, 255]]
        assert np.array_equal(pixels[..., :3], high)


def test_an_image_is_turned_upright(host):
    turned = Image.new("RGB", (6, 4))
    turned.getexif()[0x0112] = 6
    buffer = io.BytesIO()
    turned.save(buffer, "JPEG", exif=turned.getexif())
    host.txt2img(args=mixed(host, mix_image_2=Image.open(buffer)))
    assert host.called("encode_images")[0]["shapes"] == [(6, 4, 3)]


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"mix_image_2": None}, "choose it again"),
        ({"mix_image_2": ""}, "choose it again"),
        ({"mix_items": "Image + image"}, r"Image 1 \(optional\)"),
    ],
)
def test_a_missing_image_is_said(host, named, words):
    with pytest.raises(host.ext("errors").UserError, match=words):
        host.txt2img(args=mixed(host, **named))


def test_strengths_that_a_method_cannot_take_are_the_engines_to_refuse(host):
    with pytest.raises(host.engine.InvalidArgumentError, match="none below 0"):
        host.txt2img(args=mixed(host, mix_strength_1=-0.5, mix_method="slerp"))


def test_what_was_mixed_is_in_the_metadata_but_for_the_image(host):
    args = mixed(host, mix_strength_1=-0.5, mix_strength_2=1.25)
    first = host.txt2img(prompt="x", args=args)
    text = first.infotexts[0]
    for part in (
        "Kandinsky mix: True",
        "Kandinsky mix of: Prompt + image",
        "Kandinsky mix image 1 strength: -0.5",
        "Kandinsky mix image 2 strength: 1.25",
        "Kandinsky mix method: sum",
        "Kandinsky mix image 2: ",
    ):
        assert part in text
    _, values = host.paste(host.script, text)
    with pytest.raises(host.ext("errors").UserError, match="choose it again"):
        host.txt2img(prompt="x", args=values)
    _, values = host.paste(host.script, text, args=host.settings(mix_image_2=RED))
    again = host.txt2img(prompt="x", args=values)
    assert again.images[0].tobytes() == first.images[0].tobytes()
    assert again.infotexts == first.infotexts


def test_other_images_have_other_hashes(host):
    texts = [
        host.txt2img(args=mixed(host, mix_image_2=one, mix_image_1=two)).infotexts[0]
        for one in (RED, BLUE)
        for two in (RED, BLUE)
    ]
    assert len(set(texts)) == 4
    assert all("Kandinsky mix of: Image + image" in text for text in texts)


def test_an_image_without_mixing_says_nothing_of_it(host):
    shared = {}
    host.txt2img(args=mixed(host), extra_generation_params=shared)
    assert "mix" not in host.txt2img(extra_generation_params=shared).infotexts[0]
