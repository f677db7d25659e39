"""Inputs for the readers of prompts, tokenizers' files and parameters of images."""

from __future__ import annotations

import struct

from corpus_files import SEPARATOR, put

TEXTS = {
    "english": "A red circle on a white background, it's 4k!",
    "russian": "красный круг на белом фоне",
    "cjk": "一只猫坐在窗台上",
    "emoji": "👩‍🚀 🇷🇺 é́́",
    "specials": "<|startoftext|> <|endoftext|> </s><s><pad><mask>",
    "spaces": "  a\t\n\u00a0\u3000 b  ",
    "quotes": "it’s “odd” ﬁne １２ &amp; ΟΔΟΣ",
    "numbers": "1234567890 0.5 1e9",
    "upper": "İSTANBUL ẞ",
    "marks": "a\u0301\u0327\u0323" * 8,
}

WEIGHTED = (
    "a (red:1.3) circle",
    "((a)) [b] [[c]]",
    "(a:1.2) BREAK (b:-0.5)",
    "\\(a\\) \\[b\\] \\\\",
    "(never closed",
    "closed) never]",
    "a:1.5) (:1.2) (x:.5)(y:5.)",
    "BREAK BREAK aBREAK BREAKb",
    "(a (b (c:0.5):2):0.1)",
    "[a:b:0.5] [a|b] a AND b",
    "(a:+1.5) (b: -1 )",
    "(кот:1.1)",
)


def texts() -> None:
    for name, text in TEXTS.items():
        put("clip_text", name, text.encode())
        put("xlmr_text", name, text.encode())
    for target in ("clip_text", "xlmr_text"):
        put(target, "not-utf8", b"a\xd0 b\xed\xa0\x80")
    for i, text in enumerate(WEIGHTED):
        put("prompt_weights", f"{i:02}", text.encode())
    merges = "#version: 0.2\nr e\nre d</w>\nÐ º\n"
    vocabulary = '"re": 600, "red</w>": 601, "Ðº": 602'
    put(
        "clip_files",
        "whole",
        SEPARATOR.join(
            [
                vocabulary.encode(),
                merges.encode(),
                b'{"pad_token": "!"}',
                b'{"pad_token": {"content": "<|endoftext|>"}}',
            ]
        ),
    )
    put(
        "clip_files",
        "few-merges",
        SEPARATOR.join([b'"a": 1', b"#version: 0.2\na b c\n", b"{}", b"{}"]),
    )
    put("clip_files", "no-merges", vocabulary.encode())
    put("clip_files", "small-vocabulary", SEPARATOR.join([b'{"a": 1}', merges.encode()]))


def proto(number: int, kind: int, content: bytes) -> bytes:
    return bytes([number << 3 | kind]) + (bytes([len(content)]) if kind == 2 else b"") + content


def sentencepiece_model() -> bytes:
    """A unigram model of a few pieces: protobuf messages of sentencepiece_model.proto, by hand."""
    pieces = [
        ("<unk>", 0.0, 2),
        ("<s>", 0.0, 3),
        ("</s>", 0.0, 3),
        *((piece, -1.0 - i, 1) for i, piece in enumerate(("▁", "▁a", "re", "d", "к", "р"))),
    ]
    model = b"".join(
        proto(
            1,
            2,
            proto(1, 2, piece.encode())
            + proto(2, 5, struct.pack("<f", score))
            + proto(3, 0, bytes([kind])),
        )
        for piece, score, kind in pieces
    )
    trainer = proto(3, 0, b"\1") + proto(4, 0, bytes([len(pieces)]))
    normalizer = (
        proto(1, 2, b"identity") + proto(3, 0, b"\1") + proto(4, 0, b"\1") + proto(5, 0, b"\1")
    )
    return model + proto(2, 2, trainer) + proto(3, 2, normalizer)


def models() -> None:
    model = sentencepiece_model()
    put("xlmr_files", "whole", model)
    put("xlmr_files", "cut", model[:100])
    put(
        "xlmr_files",
        "bpe",
        model.replace(
            proto(3, 0, b"\1") + proto(4, 0, b"\x09"), proto(3, 0, b"\2") + proto(4, 0, b"\x09")
        ),
    )
    put("xlmr_files", "git-lfs", b"version https://git-lfs.github.com/spec/v1\n")


def words() -> None:
    for kind, texts in enumerate(
        (
            ("5", "-50", "010", "1e3", "99999999999999999999"),
            ("0.5", "-2.5", "1e6", "nan", "inf"),
            ("640x480", "1x16384", "x", "0x5"),
            ("3GB", "2.5 GiB", "800MB", "1e9TB"),
            ("crop", "STRETCH", "latent noise"),
            ("-1", "0", "18446744073709551615"),
        )
    ):
        for text in texts:
            put("cli_arguments", f"{kind}-{text}".replace(" ", "_"), bytes([kind]) + text.encode())
    for kind, texts in enumerate(
        (
            ("DDIM", "euler A", "DPM++ 2M SDE", ""),
            ("Karras", "automatic", "SGM Uniform"),
            ("winograd", "packed-weights", "nothing"),
            (
                "cpu",
                "auto",
                "cuda",
                "cuda:1",
                "cpu:5",
                "cpu:0",
                "meta",
                "cuda:99999999999",
                "xpu:0",
            ),
        )
    ):
        for text in texts:
            put(
                "option_names",
                f"{kind}-{text or 'empty'}".replace(" ", "_"),
                bytes([kind]) + text.encode(),
            )
    front = struct.pack("<HHHHHB", 19, 511, 511, 40, 7, 0)
    for name, present, strings in (
        ("plain", 3, ("kandinsky-2-1", "a cat", "dogs")),
        ("odd", 7, ('two, odd: "models"', "a\nb, c: d", "x: y", "")),
        ("blank", 4, ("\u3000model", "\u00a0prior")),
        ("separators", 4, ("\x1cmodel\u2003", "\u2028prior\x1f")),
        ("mix", 15, ("m", "p", "n", " q ", "a text", "one.png")),
        ("quotes", 4, ('"', '"x"')),
    ):
        put("infotext", name, front + bytes([present, 1, 1, 4]) + "\0".join(strings).encode())
