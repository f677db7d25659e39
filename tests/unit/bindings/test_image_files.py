"""Image files are read as Pillow reads them: ImageOps.exif_transpose(image).convert("RGBA")."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from PIL import Image, ImageOps
from support import image_bytes as made
from support.image_bytes import GREY, GREY_ALPHA, PALETTE, RGB, RGBA

import kandinsky_engine as kandinsky

WIDTH, HEIGHT = 23, 17
# Since then Pillow looks at XMP in JPEG and WebP files as well.
PILLOW_READS_ALL_XMP = int(PIL.__version__.split(".")[0]) >= 11
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def samples(channels: int, most: int) -> made.Samples:
    """[H, W, channels], in which most values occur several times."""
    random = np.random.default_rng(channels)
    return random.integers(0, most + 1, (HEIGHT, WIDTH, channels), np.uint16)


def scene(channels: int = 3) -> Image.Image:
    """Smooth, as lossy formats like it, and not symmetric."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    planes = [9 * x + 2 * y, 3 * x + 11 * y, 150 - 5 * x + 4 * y, 40 + 6 * x + 5 * y]
    stacked = np.stack(planes[:channels], axis=-1).clip(0, 255).astype(np.uint8)
    return Image.fromarray(stacked.squeeze())


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def read(tmp_path: Path, file: bytes) -> np.ndarray:
    """As RGBA, by the engine."""
    (tmp_path / "file").write_bytes(file)
    pixels = kandinsky.load_image(tmp_path / "file")
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if pixels.shape[2] == 3:
        pixels = np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])
    return pixels


def judged(file: bytes) -> np.ndarray:
    """As RGBA, by Pillow."""
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert("RGBA"))


def turned(file: bytes, orientation: int) -> np.ndarray:
    """As RGBA, by Pillow, which is told the orientation."""
    with Image.open(io.BytesIO(file)) as image:
        upright = image.convert("RGBA")
    if orientation in TURNS:
        upright = upright.transpose(TURNS[orientation])
    return np.asarray(upright)


def key(*values: int) -> made.Chunk:
    return b"tRNS", np.array(values, ">u2").tobytes()


COLOURS = b"".join(bytes([i, 255 - i, 3 * i % 256]) for i in range(256))
ALPHAS = bytes(range(0, 256, 2))


def png_files() -> Iterator[tuple[str, bytes]]:
    for interlaced in (False, True):
        name = "interlaced " if interlaced else ""
        for depth in (1, 2, 4, 8):
            most = 2**depth - 1
            grey = samples(1, most)
            palette = (b"PLTE", COLOURS[: 3 * 2**depth])
            alphas = (b"tRNS", ALPHAS[: 2**depth])
            one = (b"tRNS", b"\xff\0")
            yield f"{name}grey {depth}", made.png(grey, depth, GREY, interlaced=interlaced)
            for label, chunks in (("", ()), (" alphas", (alphas,)), (" one", (one,))):
                file = made.png(
                    grey, depth, PALETTE, interlaced=interlaced, before=(palette, *chunks)
                )
                yield f"{name}palette {depth}{label}", file
        file = made.png(samples(1, 9), 8, GREY, interlaced=interlaced, before=(key(5),))
        yield f"{name}grey key", file
        rgb = samples(3, 3)
        for label, chunks in (("", ()), (" key", (key(1, 2, 3),))):
            yield f"{name}RGB{label}", made.png(rgb, 8, RGB, interlaced=interlaced, before=chunks)
        grey_alpha, rgba = samples(2, 255), samples(4, 255)
        yield f"{name}grey alpha", made.png(grey_alpha, 8, GREY_ALPHA, interlaced=interlaced)
        yield f"{name}RGBA", made.png(rgba, 8, RGBA, interlaced=interlaced)


PNG_FILES = dict(png_files())


class TestPixels:
    @pytest.mark.parametrize("name", PNG_FILES)
    def test_png(self, tmp_path: Path, name: str) -> None:
        file = PNG_FILES[name]
        assert np.array_equal(read(tmp_path, file), judged(file))

    @pytest.mark.parametrize("depth", [1, 2, 4])
    def test_a_key_of_few_bits(self, tmp_path: Path, depth: int) -> None:
        """PNG 11.3.2.1; Pillow takes it for one of 8 bits."""
        grey = samples(1, 2**depth - 1)
        pixels = read(tmp_path, made.png(grey, depth, GREY, before=(key(1),)))
        assert np.array_equal(pixels[..., 3], np.where(grey[..., 0] == 1, 0, 255))

    @pytest.mark.parametrize("interlaced", [False, True])
    @pytest.mark.parametrize("colour", [GREY, GREY_ALPHA, RGB, RGBA])
    def test_sixteen_bits_keep_the_high_ones(
        self, tmp_path: Path, colour: int, interlaced: bool
    ) -> None:
        values = samples(made.CHANNELS[colour], 65535)
        pixels = read(tmp_path, made.png(values, 16, colour, interlaced=interlaced))
        high = (values >> 8).astype(np.uint8)
        if colour in (GREY, GREY_ALPHA):
            high = np.dstack([high[..., :1]] * 3 + [high[..., 1:]])
        assert np.array_equal(pixels[..., : high.shape[2]], high)

    def test_a_key_of_sixteen_bits_is_all_of_them(self, tmp_path: Path) -> None:
        """PNG 11.3.2.1: values that share its high byte only are opaque."""
        grey = np.array([[[0x1234], [0x1235], [0x3412]]], np.uint16)
        pixels = read(tmp_path, made.png(grey, 16, GREY, before=(key(0x1234),)))
        assert pixels[0, :, 3].tolist() == [0, 255, 255]
        assert pixels[0, :, 0].tolist() == [0x12, 0x12, 0x34]

    @pytest.mark.parametrize("progressive", [False, True])
    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
    def test_jpeg(self, tmp_path: Path, mode: str, progressive: bool) -> None:
        for options in ({}, {"subsampling": 0}, {"quality": 20}, {"restart_marker_rows": 1}):
            image = scene().convert(mode)
            file = encoded(image, "JPEG", progressive=progressive, **options)
            assert np.array_equal(read(tmp_path, file), judged(file)), options

    def test_jpeg_of_other_inks(self, tmp_path: Path) -> None:
        """YCCK: the same bytes, told to be luma and colour differences of the inks."""
        file = encoded(scene().convert("CMYK"), "JPEG")
        adobe = file.index(b"Adobe\0") + 11
        changed = file[:adobe] + b"\2" + file[adobe + 1 :]
        assert not np.array_equal(judged(changed), judged(file))
        assert np.array_equal(read(tmp_path, changed), judged(changed))

    @pytest.mark.parametrize("channels", [3, 4])
    @pytest.mark.parametrize("lossless", [False, True])
    def test_webp(self, tmp_path: Path, channels: int, lossless: bool) -> None:
        file = encoded(scene(channels), "WEBP", lossless=lossless)
        assert np.array_equal(read(tmp_path, file), judged(file))

    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    def test_the_first_image_of_an_animation(self, tmp_path: Path, kind: str) -> None:
        others = [scene().rotate(180), scene().rotate(90)]
        file = encoded(scene(), kind, save_all=True, append_images=others, lossless=True)
        assert np.array_equal(read(tmp_path, file), judged(file))


def orientation_files(orientation: int) -> Iterator[tuple[str, bytes, bool]]:
    """Name, file, and whether every Pillow knows where to look."""
    png, jpeg = encoded(scene(), "PNG"), encoded(scene(), "JPEG")
    webp = encoded(scene(), "WEBP", lossless=True)
    size = (WIDTH, HEIGHT)
    for kind in ("SHORT", "LONG"):
        for order in ("MM", "II"):
            data = made.exif(orientation, kind=kind, order=order)
            name = f"{kind} {order}"
            yield f"PNG {name}", made.with_png_chunks(png, [(b"eXIf", data)]), True
            late = made.with_png_chunks(png, [], [(b"eXIf", data)])
            yield f"PNG {name} at the end", late, True
            yield f"JPEG {name}", made.with_jpeg_segments(jpeg, b"Exif\0\0" + data), True
            yield f"WebP {name}", made.with_webp_chunks(webp, size, (b"EXIF", data)), True
    data = made.exif(orientation)
    for kind in ("tEXt", "zTXt", "iTXt", "iTXt packed"):
        chunk = made.png_text(b"Raw profile type exif", made.raw_profile("exif", data), kind)
        yield f"PNG profile in {kind}", made.with_png_chunks(png, [chunk]), True
    app1 = made.raw_profile("APP1", b"Exif\0\0" + data)
    chunk = made.png_text(b"Raw profile type APP1", app1, "zTXt")
    yield "PNG APP1 profile", made.with_png_chunks(png, [chunk]), False
    for element in (False, True):
        packet = made.xmp(orientation, element=element)
        name = f"XMP {'element' if element else 'attribute'}"
        for kind in ("iTXt", "iTXt packed"):
            chunk = made.png_text(made.XMP_KEY, packet, kind)
            yield f"PNG {name} in {kind}", made.with_png_chunks(png, [chunk]), True
            late = made.with_png_chunks(png, [], [chunk])
            yield f"PNG {name} in {kind} at the end", late, True
        segment = made.XMP_SEGMENT + packet
        file = made.with_jpeg_segments(jpeg, segment)
        yield f"JPEG {name}", file, PILLOW_READS_ALL_XMP
        file = made.with_webp_chunks(webp, size, (b"XMP ", packet))
        yield f"WebP {name}", file, PILLOW_READS_ALL_XMP


# What more than one place tells, or none in a way that counts: name to chunks of a PNG.
EXIF = {value: (b"eXIf", made.exif(value)) for value in (1, 3, 6, 9)}
XMP_8 = made.png_text(made.XMP_KEY, made.xmp(8), "iTXt")
PROFILE_4 = made.png_text(b"Raw profile type exif", made.raw_profile("exif", made.exif(4)), "tEXt")
OTHER_TAG = (b"eXIf", made.exif(6).replace(b"\x01\x12", b"\x01\x13"))
SEVERAL = {
    "EXIF before XMP": [XMP_8, EXIF[6]],
    "upright EXIF before XMP": [EXIF[1], XMP_8],
    "EXIF of no sense before XMP": [EXIF[9], XMP_8],
    "EXIF without the tag, then XMP": [OTHER_TAG, XMP_8],
    "EXIF before a profile": [PROFILE_4, EXIF[3]],
    "EXIF without the tag hides a profile": [OTHER_TAG, PROFILE_4],
    "a profile before XMP": [XMP_8, PROFILE_4],
    "the last XMP": [made.png_text(made.XMP_KEY, made.xmp(3), "iTXt"), XMP_8],
    "the last EXIF": [(b"tEXt", b"Comment\0x"), EXIF[3]],
    "XMP without a value": [made.png_text(made.XMP_KEY, b'tiff:Orientation="', "iTXt")],
    "XMP of no sense": [made.png_text(made.XMP_KEY, made.xmp(9), "iTXt")],
    "XMP, the first that is one": [
        made.png_text(made.XMP_KEY, b'tiff:Orientation tiff:Orientation="x' + made.xmp(6), "iTXt")
    ],
}


class TestOrientation:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_every_place(self, tmp_path: Path, orientation: int) -> None:
        for name, file, pillow_knows in orientation_files(orientation):
            pixels = read(tmp_path, file)
            assert np.array_equal(pixels, turned(file, orientation)), name
            if pillow_knows:
                assert np.array_equal(pixels, judged(file)), name

    @pytest.mark.parametrize("name", SEVERAL)
    def test_which_one_counts(self, tmp_path: Path, name: str) -> None:
        file = made.with_png_chunks(encoded(scene(), "PNG"), SEVERAL[name])
        assert np.array_equal(read(tmp_path, file), judged(file))

    def test_which_one_counts_in_a_jpeg(self, tmp_path: Path) -> None:
        jpeg = encoded(scene(), "JPEG")
        exif = b"Exif\0\0" + made.exif(6)
        for segments in (
            [made.XMP_SEGMENT + made.xmp(8), exif],
            [exif, b"Exif\0\0" + made.exif(3)],
            [b"something else", exif],
        ):
            file = made.with_jpeg_segments(jpeg, *segments)
            assert np.array_equal(read(tmp_path, file), judged(file))

    def test_alpha_and_grey_turn_as_well(self, tmp_path: Path) -> None:
        for channels in (1, 4):
            file = made.with_png_chunks(encoded(scene(channels), "PNG"), [EXIF[6]])
            assert np.array_equal(read(tmp_path, file), judged(file))
