"""The demo model's tokenizers: learning, file formats, ids."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

sentencepiece = pytest.importorskip("sentencepiece")
vocabularies = pytest.importorskip("vocabularies")


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return vocabularies.corpus(1500, seed=1)


@pytest.fixture(scope="module")
def merges(texts: list[str]) -> list[tuple[str, str]]:
    return vocabularies.learn_merges(texts, 400)


@pytest.fixture(scope="module")
def unigram(texts: list[str]) -> bytes:
    return vocabularies.learn_unigram(texts, 900)


def test_byte_symbols_are_clips() -> None:
    symbols = vocabularies.byte_symbols()
    assert len(set(symbols.values())) == 256
    assert symbols[ord("a")] == "a"
    assert symbols[0] == "\u0100"
    assert symbols[ord(" ")] == "\u0120"


def test_clip_words_split_like_clip() -> None:
    split = vocabularies.clip_words("  A red\tCircle, 42 it's!!")
    assert split == ["a", "red", "circle", ",", "4", "2", "it", "'s", "!!"]


def test_merges_take_the_most_frequent_pair_first() -> None:
    learned = vocabularies.learn_merges(["ab ab ab ab abc abc abc"] * 2, 2)
    assert learned == [("a", "b</w>"), ("a", "b")]


def test_clip_vocabulary_has_clips_order(merges: list[tuple[str, str]]) -> None:
    vocabulary = vocabularies.clip_vocabulary(merges)
    assert len(vocabulary) == 512 + len(merges) + 2
    assert vocabulary["!"] == 0
    assert vocabulary["!</w>"] == 256
    assert vocabulary["".join(merges[0])] == 512
    assert vocabulary["<|endoftext|>"] == len(vocabulary) - 1
    assert vocabulary["<|startoftext|>"] == len(vocabulary) - 2


def test_common_words_are_one_piece(merges: list[tuple[str, str]]) -> None:
    vocabulary = vocabularies.clip_vocabulary(merges)
    assert len(vocabularies.clip_encode("a red circle", merges, vocabulary)) == 3
    assert len(vocabularies.clip_encode("красный круг", merges, vocabulary)) == 2


def test_any_text_can_be_encoded(merges: list[tuple[str, str]]) -> None:
    vocabulary = vocabularies.clip_vocabulary(merges)
    back = {i: piece for piece, i in vocabulary.items()}
    byte = {symbol: value for value, symbol in vocabularies.byte_symbols().items()}
    ids = vocabularies.clip_encode("日本 ŝ 🎨", merges, vocabulary)
    text = "".join(back[i].replace("</w>", "Ġ") for i in ids)
    assert bytes(byte[symbol] for symbol in text).decode() == "日本 ŝ 🎨 "


def test_clip_files(tmp_path: Path, merges: list[tuple[str, str]]) -> None:
    vocabularies.write_clip(tmp_path, merges)
    lines = (tmp_path / "merges.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#version")
    assert vocabularies.read_merges(tmp_path) == merges
    stored = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert stored == vocabularies.clip_vocabulary(merges)
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert settings["tokenizer_class"] == "CLIPTokenizer"
    assert settings["model_max_length"] == 77


def test_unigram_model_has_xlmrs_layout(unigram: bytes) -> None:
    model = sentencepiece.SentencePieceProcessor(model_proto=unigram)
    assert (model.unk_id(), model.bos_id(), model.eos_id(), model.pad_id()) == (0, 1, 2, -1)
    assert model.encode("a red circle", out_type=str) == ["▁a", "▁red", "▁circle"]
    assert model.encode("круг, фон.", out_type=str) == ["▁круг", ",", "▁фон", "."]
    for letter in "azAZаяАЯёЁ0189.,!":
        assert model.unk_id() not in model.encode(letter)


def test_own_reader_agrees_with_the_library(unigram: bytes) -> None:
    model = sentencepiece.SentencePieceProcessor(model_proto=unigram)
    pieces, charsmap = vocabularies.read_unigram(unigram)
    assert [piece for piece, _ in pieces] == [model.id_to_piece(i) for i in range(len(model))]
    assert [s for _, s in pieces] == pytest.approx([model.get_score(i) for i in range(len(model))])
    assert len(charsmap) > 100_000  # nmt_nfkc


def test_xlmr_files(tmp_path: Path, unigram: bytes) -> None:
    vocabularies.write_xlmr(tmp_path, unigram)
    pieces, _ = vocabularies.read_unigram(unigram)
    fast = json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = fast["model"]["vocab"]
    assert [piece for piece, _ in vocabulary[:4]] == ["<s>", "<pad>", "</s>", "<unk>"]
    assert vocabulary[4][0] == pieces[3][0]
    assert len(vocabulary) == len(pieces) + 2
    assert fast["added_tokens"][-1]["id"] == len(vocabulary) - 1
    assert (tmp_path / "sentencepiece.bpe.model").read_bytes() == unigram


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("ein roter Kreis", "▁Kreis"),
        ("une étoile bleue", "▁étoile"),
        ("un corazón rojo", "▁corazón"),
    ],
)
def test_words_of_the_smaller_languages_are_known(unigram: bytes, text: str, word: str) -> None:
    model = sentencepiece.SentencePieceProcessor(model_proto=unigram)
    assert model.unk_id() not in model.encode(text)
    assert "".join(model.encode(text, out_type=str)).count(word) == 1
