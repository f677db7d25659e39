"""Inputs for the readers of images, with all that a file may say about one."""

from __future__ import annotations

import io
import struct
import zlib

from corpus_files import SEPARATOR, put
from PIL import Image


def png_chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def png(
    width: int,
    height: int,
    depth: int,
    colour: int,
    rows: bytes,
    extra: bytes = b"",
    interlace: int = 0,
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(rows, 9))
        + png_chunk(b"IEND", b"")
    )


def exif(orientation: int, kind: int = 3, order: str = ">") -> bytes:
    value = (
        struct.pack(order + "HH", orientation, 0)
        if kind == 3
        else struct.pack(order + "I", orientation)
    )
    mark = b"MM" if order == ">" else b"II"
    return mark + struct.pack(order + "HIHHHI", 42, 8, 1, 0x0112, kind, 1) + value + bytes(4)


XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
    b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sample(mode: str, width: int = 7, height: int = 5) -> Image.Image:
    image = Image.new("RGBA", (width, height))
    image.putdata(
        [
            (x * 36 % 256, y * 50 % 256, (x * y * 9) % 256, 255 - 40 * x % 256)
            for y in range(height)
            for x in range(width)
        ]
    )
    return image.convert(mode)


def images() -> None:
    pngs = {mode: saved(sample(mode), "PNG") for mode in ("L", "LA", "RGB", "RGBA", "P", "1")}
    rows16 = b"".join(b"\0" + bytes(range(14)) for _ in range(3))
    pngs["grey16"] = png(7, 3, 16, 0, rows16)
    pngs["grey16-key"] = png(7, 3, 16, 0, rows16, png_chunk(b"tRNS", b"\x02\x03"))
    pngs["rgb-key"] = png(
        2, 2, 8, 2, (b"\0" + bytes(range(6))) * 2, png_chunk(b"tRNS", b"\0\0\0\1\0\2")
    )
    pngs["grey-key"] = png(3, 1, 8, 0, b"\0\x01\x02\x03", png_chunk(b"tRNS", b"\0\2"))
    pngs["interlaced"] = png(
        4, 4, 8, 0, (b"\0\1") * 2 + b"\0\1\2" + b"\0\1\2" * 2 + b"\0\1\2\3\4" * 2, b"", 1
    )
    pngs["exif6"] = png(3, 2, 8, 0, b"\0\1\2\3" * 2, png_chunk(b"eXIf", exif(6)))
    pngs["exif-long"] = png(3, 2, 8, 0, b"\0\1\2\3" * 2, png_chunk(b"eXIf", exif(8, 4, "<")))
    raw = b"\nexif\n      38\n" + (b"Exif\0\0" + exif(6)).hex().encode() + b"\n"
    pngs["raw-exif"] = png(
        3,
        2,
        8,
        0,
        b"\0\1\2\3" * 2,
        png_chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)),
    )
    pngs["raw-exif-text"] = png(
        3, 2, 8, 0, b"\0\1\2\3" * 2, png_chunk(b"tEXt", b"Raw profile type exif\0" + raw)
    )
    pngs["xmp"] = png(
        3, 2, 8, 0, b"\0\1\2\3" * 2, png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP)
    )
    pngs["cgbi"] = b"\x89PNG\r\n\x1a\n" + png_chunk(b"CgBI", b"\x50\0\x20\2") + pngs["RGBA"][8:]
    pngs["cut"] = pngs["RGB"][:-20]
    pngs["animated"] = saved(
        sample("RGB"), "PNG", save_all=True, append_images=[sample("RGB").rotate(180)]
    )
    pngs["parameters"] = png(
        3, 2, 8, 0, b"\0\1\2\3" * 2, png_chunk(b"tEXt", b"parameters\0a cat\nSteps: 20")
    )

    jpegs = {
        "grey": saved(sample("L"), "JPEG"),
        "rgb": saved(sample("RGB"), "JPEG"),
        "cmyk": saved(sample("CMYK"), "JPEG"),
        "progressive": saved(sample("RGB", 17, 9), "JPEG", progressive=True),
        "restart": saved(sample("RGB", 17, 9), "JPEG", restart_marker_blocks=1),
        "exif6": saved(sample("RGB"), "JPEG", exif=b"Exif\0\0" + exif(6)),
        "exif-long": saved(sample("RGB"), "JPEG", exif=b"Exif\0\0" + exif(8, 4, "<")),
        "xmp": saved(sample("RGB"), "JPEG", xmp=XMP),
        "444": saved(sample("RGB"), "JPEG", subsampling=0),
    }
    jpegs["cut"] = jpegs["rgb"][:-30]
    webps = {
        "lossy": saved(sample("RGB"), "WEBP"),
        "lossless": saved(sample("RGB"), "WEBP", lossless=True),
        "alpha": saved(sample("RGBA"), "WEBP"),
        "alpha-lossless": saved(sample("RGBA"), "WEBP", lossless=True),
        "exif6": saved(sample("RGB"), "WEBP", exif=exif(6)),
        "xmp": saved(sample("RGB"), "WEBP", xmp=XMP),
        "animated": saved(
            sample("RGBA"),
            "WEBP",
            save_all=True,
            append_images=[sample("RGBA").rotate(180)],
            duration=9,
        ),
    }
    webps["cut"] = webps["lossy"][:-9]
    for kind, files in (("png", pngs), ("jpeg", jpegs), ("webp", webps)):
        for name, content in files.items():
            put(f"image_{kind}", name, content)
    for name, content in (
        ("gif", b"GIF89a"),
        ("bmp", b"BM"),
        ("avif", b"\0\0\0\x1cftypavif"),
        ("jxl", b"\xff\x0a"),
        ("html", b"<!DOCTYPE html>"),
        ("heic", b"\0\0\0\x1cftypmif1"),
        ("boxed-jxl", b"\0\0\0\x0cJXL \r\n\x87\n"),
    ):
        put("image_png", f"not-{name}", content + bytes(20))
    for name, data in (
        ("exif", exif(6)),
        ("exif-mark", b"Exif\0\0" + exif(3)),
        ("long", exif(8, 4, "<")),
        ("xmp", SEPARATOR + XMP),
        ("both", exif(0) + SEPARATOR + XMP),
        ("cut", exif(6)[:13]),
        ("element", SEPARATOR + b"<tiff:Orientation>8</tiff:Orientation>"),
    ):
        put("orientation", name, data)
    put("image_large", "png-claims", png(16384, 16384, 16, 6, b"\0" * 1000))
    put("image_large", "png-zeros", png(1024, 512, 8, 0, b"\0" * 1025 * 512))
    put(
        "image_large",
        "webp-claims",
        b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xfe\xff\xff\x0f" + bytes(9),
    )
    jpeg = bytearray(saved(sample("RGB", 16, 16), "JPEG", progressive=True))
    at = jpeg.index(b"\xff\xc2")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 8000, 8000)
    put("image_large", "jpeg-claims", bytes(jpeg))
    for i in range(15):
        put(
            "png_pixels",
            f"kind-{i}",
            bytes([i, 5, 0, 4, 0, i % 2, i // 2 % 2, 1 + i % 9, i]) + bytes(range(0, 250, 7)),
        )
    for i in range(3):
        put(
            "image_round_trip",
            f"format-{i}",
            bytes([i, 101 if i == 2 else 90, 0, 6, 0, 4, 0, 3, 0, 0]) + bytes(range(72)),
        )
        put(
            "image_edit",
            f"mode-{i}",
            bytes([i, 9, 0, 7, 0, 17, 0, 13, 0, i, i % 2, i % 2, 4, 0, 3, 0, 1, 3])
            + b"\0\xff\x80" * 20,
        )
    for name, text in (
        ("ascii", "a cat\nSteps: 20, Seed: 1"),
        ("latin1", "café"),
        ("cyrillic", "кот"),
        ("null", "a\0b"),
    ):
        put("png_text", name, text.encode())
    put("png_text", "not-utf8", b"\xff")
