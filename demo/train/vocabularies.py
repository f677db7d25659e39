"""The demo model's own two tokenizers, learned from its own captions, in the true file formats.

CLIP: byte-level BPE, `vocab.json` and `merges.txt`. XLM-R: a SentencePiece unigram model under the
name the hub uses, `sentencepiece.bpe.model`, and the same as `tokenizer.json` for the fast class.
(Not called tokenizers.py, which would hide the package of that name.)

Needs numpy, Pillow and sentencepiece only.
"""

from __future__ import annotations

import base64
import collections
import io
import itertools
import json
import re
import struct
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import scenes
import sentencepiece

CLIP_MERGES = 1300
CLIP_START, CLIP_END = "<|startoftext|>", "<|endoftext|>"
XLMR_PIECES = 1100
ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz",
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "äöüßàâçéèêëîïôœùûñáíóú",
    "0123456789",
    ".,!?-:;'\"()",
)
# CLIP's own pattern needs Unicode classes that `re` lacks; this one splits letters, digits and the
# rest alike.
_PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|[^\s\w]+|_+", re.IGNORECASE)


def corpus(count: int = 60_000, seed: int = 0) -> list[str]:
    """Captions to learn from."""
    rng = np.random.default_rng(seed)
    return [scenes.random_description(scenes.random_scene(rng), rng)[0] for _ in range(count)]


# --- CLIP ---------------------------------------------------------------------------------------


def byte_symbols() -> dict[int, str]:
    """Every byte's printable stand-in, as CLIP and GPT-2 have it."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = {byte: chr(byte) for byte in plain}
    rest = (byte for byte in range(256) if byte not in symbols)
    symbols.update({byte: chr(256 + i) for i, byte in enumerate(rest)})
    return symbols


def _spell(word: str, symbols: dict[int, str]) -> tuple[str, ...]:
    letters = [symbols[byte] for byte in word.encode()]
    return (*letters[:-1], letters[-1] + "</w>")


def _merge(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    out: list[str] = []
    i = 0
    while i < len(word):
        if word[i : i + 2] == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def clip_words(text: str) -> list[str]:
    """Normalises and splits a text as CLIP's fast tokenizer does."""
    return _PIECES.findall(unicodedata.normalize("NFC", text).lower())


def learn_merges(texts: list[str], count: int = CLIP_MERGES) -> list[tuple[str, str]]:
    """Byte-pair encoding: the most frequent neighbours first; ties in alphabetical order."""
    symbols = byte_symbols()
    frequency = collections.Counter(word for text in texts for word in clip_words(text))
    words = {_spell(word, symbols): n for word, n in frequency.items() if n > 3}
    merges: list[tuple[str, str]] = []
    while len(merges) < count:
        pairs: collections.Counter[tuple[str, str]] = collections.Counter()
        for word, n in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        merged: dict[tuple[str, ...], int] = collections.Counter()
        for word, n in words.items():
            merged[_merge(word, best) if best[0] in word else word] += n
        words = merged
    return merges


def clip_vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    """Bytes, bytes that end a word, merges, start, end: in CLIP's order."""
    symbols = sorted(byte_symbols().values())
    pieces = [*symbols, *(s + "</w>" for s in symbols), *("".join(pair) for pair in merges)]
    pieces += [CLIP_START, CLIP_END]
    if len(set(pieces)) != len(pieces):
        raise ValueError("two merges make the same piece")
    return {piece: i for i, piece in enumerate(pieces)}


def clip_encode(text: str, merges: list[tuple[str, str]], vocabulary: dict[str, int]) -> list[int]:
    """Ids of a text without start and end; the plain definition, slow, for tests."""
    symbols = byte_symbols()
    rank = {pair: i for i, pair in enumerate(merges)}
    ids: list[int] = []
    for piece in clip_words(text):
        word = _spell(piece, symbols)
        while pairs := [p for p in itertools.pairwise(word) if p in rank]:
            word = _merge(word, min(pairs, key=rank.__getitem__))
        ids += [vocabulary[symbol] for symbol in word]
    return ids


def write_clip(folder: Path, merges: list[tuple[str, str]]) -> None:
    """The tokenizer folder of the prior pipeline."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    vocabulary = json.dumps(clip_vocabulary(merges), ensure_ascii=False)
    (folder / "vocab.json").write_text(vocabulary, encoding="utf-8")
    specials = {"bos_token": CLIP_START, "eos_token": CLIP_END}
    specials |= {"pad_token": CLIP_END, "unk_token": CLIP_END}
    _write_json(folder / "special_tokens_map.json", specials)
    settings = {
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
        "model_max_length": 77,
        "tokenizer_class": "CLIPTokenizer",
    }
    _write_json(folder / "tokenizer_config.json", {**settings, **specials})


def read_merges(folder: Path) -> list[tuple[str, str]]:
    lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    return [(left, right) for left, right in (line.split(" ") for line in lines if line)]


# --- XLM-R --------------------------------------------------------------------------------------


def learn_unigram(texts: list[str], pieces: int = XLMR_PIECES) -> bytes:
    """A SentencePiece unigram model, as bytes. Ids: 0 unknown, 1 <s>, 2 </s>, then pieces."""
    rng = np.random.default_rng(0)
    marks = ("", ",", ".", "!", "?", ":", ")", "-")
    words = sorted({word for text in texts for word in text.rstrip(".!,").split()})
    extra: list[str] = []
    for word in words:
        # Seen with varied marks, a word becomes a piece of its own instead of one with its comma.
        extra += [word + mark for mark in marks]
    for alphabet in ALPHABETS:
        for letters in {alphabet, alphabet.upper()}:
            extra += [" ".join(letters)] * 3
            extra += ["".join(rng.permutation(list(letters))) for _ in range(40)]
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*texts, *extra]),
        model_writer=model,
        model_type="unigram",
        vocab_size=pieces,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc",
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        hard_vocab_limit=False,
        shuffle_input_sentence=False,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def _fields(data: bytes) -> list[tuple[int, int, Any]]:
    """A protobuf message as (field number, wire type, value)."""
    out: list[tuple[int, int, Any]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        number, kind = key >> 3, key & 7
        if kind == 0:
            value: Any = varint()
        else:
            size = varint() if kind == 2 else 4 if kind == 5 else 8
            value = data[at : at + size]
            at += size
        out.append((number, kind, value))
    return out


def read_unigram(model: bytes) -> tuple[list[tuple[str, float]], bytes]:
    """Pieces with their scores, in order, and the precompiled character map of a model."""
    pieces, charsmap = [], b""
    for number, _, value in _fields(model):
        if number == 1:
            piece = {n: v for n, _, v in _fields(value)}
            pieces.append(
                (piece[1].decode(), struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0)
            )
        elif number == 3:
            charsmap = next((v for n, _, v in _fields(value) if n == 2), b"")
    return pieces, charsmap


def write_xlmr(folder: Path, model: bytes) -> None:
    """The tokenizer folder of the decoder pipeline."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sentencepiece.bpe.model").write_bytes(model)
    pieces, charsmap = read_unigram(model)
    vocabulary = [["<s>", 0.0], ["<pad>", 0.0], ["</s>", 0.0], ["<unk>", 0.0]]
    vocabulary += [[piece, score] for piece, score in pieces[3:]]
    vocabulary += [["<mask>", 0.0]]
    mask = len(vocabulary) - 1
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    specials = (("<s>", 0), ("<pad>", 1), ("</s>", 2), ("<unk>", 3), ("<mask>", mask))
    added = [
        {"id": i, "content": token, **flags, "lstrip": token == "<mask>", "special": True}
        for token, i in specials
    ]
    space = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    start = {"SpecialToken": {"id": "<s>", "type_id": 0}}
    end = {"SpecialToken": {"id": "</s>", "type_id": 0}}
    text_a, text_b = ({"Sequence": {"id": name, "type_id": 0}} for name in "AB")
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {
                    "type": "Precompiled",
                    "precompiled_charsmap": base64.b64encode(charsmap).decode(),
                },
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": space,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [start, text_a, end],
            "pair": [start, text_a, end, end, text_b, end],
            "special_tokens": {
                token: {"id": token, "ids": [i], "tokens": [token]}
                for token, i in (("<s>", 0), ("</s>", 2))
            },
        },
        "decoder": space,
        "model": {"type": "Unigram", "unk_id": 3, "vocab": vocabulary, "byte_fallback": False},
    }
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
    names = {"bos_token": "<s>", "cls_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>"}
    names |= {"pad_token": "<pad>", "sep_token": "</s>", "unk_token": "<unk>"}
    _write_json(folder / "special_tokens_map.json", names)
    settings = {"model_max_length": 512, "tokenizer_class": "XLMRobertaTokenizer"}
    _write_json(folder / "tokenizer_config.json", {**names, **settings})


def _write_json(path: Path, content: Any) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=2, sort_keys=False)
    path.write_text(text + "\n", encoding="utf-8")


def make(work: Path) -> tuple[Path, Path]:
    """Learns both tokenizers once; returns their folders (CLIP's, XLM-R's)."""
    clip, xlmr = work / "clip_tokenizer", work / "xlmr_tokenizer"
    if not (xlmr / "tokenizer_config.json").exists():
        texts = corpus()
        write_clip(clip, learn_merges(texts))
        write_xlmr(xlmr, learn_unigram(texts))
    return clip, xlmr
