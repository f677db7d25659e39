"""Image files made byte by byte, of kinds that Pillow reads and does not write."""

import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.uint16]
Chunk = tuple[bytes, bytes]

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6  # colour types of PNG
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
# First row and column, then the distances of rows and columns, of the seven passes.
ADAM7 = [
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
]


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_rows(samples: Samples, depth: int) -> bytes:
    """Rows of [H, W, C], unfiltered."""
    height = samples.shape[0]
    values = samples.reshape(height, -1)
    bits = (values[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    packed = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1)
    return np.hstack([np.zeros((height, 1), np.uint8), packed]).tobytes()


def png(
    samples: Samples,
    depth: int,
    colour: int,
    *,
    interlaced: bool = False,
    before: Sequence[Chunk] = (),
    after: Sequence[Chunk] = (),
) -> bytes:
    """samples: [H, W, C]. before and after the pixels: chunks."""
    height, width = samples.shape[:2]
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    parts = [samples[y::down, x::right] for y, x, down, right in passes]
    rows = b"".join(png_rows(part, depth) for part in parts if part.size)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(rows)), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def with_png_chunks(file: bytes, before: Sequence[Chunk], after: Sequence[Chunk] = ()) -> bytes:
    """The PNG file with more chunks, behind its header and at its end."""
    header, end = 33, -12
    added = [b"".join(png_chunk(*chunk) for chunk in chunks) for chunks in (before, after)]
    return file[:header] + added[0] + file[header:end] + added[1] + file[end:]


def with_jpeg_segments(file: bytes, *segments: bytes) -> bytes:
    """The JPEG file with these APP1 segments first."""
    app1 = b"".join(b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data for data in segments)
    return file[:2] + app1 + file[2:]


def with_webp_chunks(file: bytes, size: tuple[int, int], *chunks: Chunk) -> bytes:
    """The WebP file, of the plain form, with these chunks at its end. size: width, height."""
    flags = sum({b"EXIF": 8, b"XMP ": 4}[kind] for kind, _ in chunks)
    if file[12:16] == b"VP8L":
        flags |= 16 * (file[24] >> 4 & 1)  # its own word on transparency
    width, height = (struct.pack("<I", side - 1)[:3] for side in size)
    extended = b"VP8X" + struct.pack("<II", 10, flags) + width + height
    added = b"".join(
        kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks
    )
    body = b"WEBP" + extended + file[12:] + added
    return b"RIFF" + struct.pack("<I", len(body)) + body


def exif(orientation: int, *, kind: str = "SHORT", order: str = "MM") -> bytes:
    """EXIF data of one tag. order: MM has the high bytes first, II the low ones."""
    byte_order = ">" if order == "MM" else "<"
    value = struct.pack(byte_order + {"SHORT": "Hxx", "LONG": "I"}[kind], orientation)
    entry = struct.pack(byte_order + "HHI", 0x0112, {"SHORT": 3, "LONG": 4}[kind], 1) + value
    return order.encode() + struct.pack(byte_order + "HIH", 42, 8, 1) + entry + bytes(4)


def xmp(orientation: int, *, element: bool = False) -> bytes:
    """XMP data that tell the orientation, as an attribute or an element."""
    attribute = "" if element else f' tiff:Orientation="{orientation}"'
    inside = f"<tiff:Orientation>{orientation}</tiff:Orientation>" if element else ""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description '
        f'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{attribute}>{inside}'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


XMP_SEGMENT = b"http://ns.adobe.com/xap/1.0/\0"
XMP_KEY = b"XML:com.adobe.xmp"


def png_text(key: bytes, text: bytes, kind: str) -> Chunk:
    """A text chunk: tEXt, zTXt, iTXt, or iTXt packed."""
    if kind == "tEXt":
        return b"tEXt", key + b"\0" + text
    if kind == "zTXt":
        return b"zTXt", key + b"\0\0" + zlib.compress(text)
    packed = kind == "iTXt packed"
    return (
        b"iTXt",
        key + b"\0" + bytes([packed, 0, 0, 0]) + (zlib.compress(text) if packed else text),
    )


def raw_profile(name: str, data: bytes) -> bytes:
    """Binary data in a text, as ImageMagick writes it."""
    digits = data.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return "\n".join(["", name, f"{len(data):8}", *lines, ""]).encode()
