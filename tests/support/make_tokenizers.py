"""Makes tokenizers/merges.txt and tokenizers/sentencepiece.bpe.model for the tiny models.

Run by hand in the reference environment (tests/parity/requirements.txt) when the sentences or the
words beside the results change; the results are committed, so that no test needs a trainer:

    .venv-references/bin/python tests/support/make_tokenizers.py
"""

from __future__ import annotations

import collections
import io
import itertools
from pathlib import Path

import sentencepiece
import tiny_model

FOLDER = Path(__file__).resolve().parent / "tokenizers"
ENGLISH_MERGES = 12
RUSSIAN_MERGES = 4
PIECES = 400

ENGLISH = [
    "{} on a white background",
    "a painting of {} in the evening light",
    "{} and a small wooden house near the river",
    "draw {} with soft pencils, highly detailed",
    "a photo of {}, 4k, sharp focus",
    "two friends are looking at {}",
    "the old sailor's story about {}: it wasn't true!",
    "what does {} look like in winter?",
]
ENGLISH_THINGS = [
    "a red circle",
    "a blue square",
    "the green triangle",
    "a yellow star",
    "a black cat",
    "an orange fish",
    "a flying bird",
    "a purple mountain",
    "the quiet harbour",
    "a glass teapot",
    "an apple tree",
    "a tall lighthouse",
]
RUSSIAN = [
    "{} на белом фоне",
    "картина маслом, {} в вечернем свете",
    "{} и маленький деревянный дом у реки",
    "нарисуй {} мягкими карандашами, очень подробно",
    "фотография, {}, высокое качество",
    "двое друзей смотрят на {}",
    "старый моряк рассказывал про {}: не верь ему!",
    "как выглядит {} зимой?",
]
RUSSIAN_THINGS = [
    "красный круг",
    "синий квадрат",
    "зелёный треугольник",
    "жёлтую звезду",
    "чёрный кот",
    "оранжевая рыба",
    "летящая птица",
    "фиолетовая гора",
    "тихая гавань",
    "стеклянный чайник",
    "яблоня в цвету",
    "высокий маяк",
]
# Every letter, digit and common mark once, so that plain prompts hold no unknown piece.
ALPHABETS = [
    "the quick brown fox jumps over the lazy dog 0123456789",
    "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG",
    "съешь ещё этих мягких французских булок, да выпей же чаю",
    "СЪЕШЬ ЕЩЁ ЭТИХ МЯГКИХ ФРАНЦУЗСКИХ БУЛОК, ДА ВЫПЕЙ ЖЕ ЧАЮ",
    'a-b (c) [d] "e" f; g: h. i, j! k? l/m n\'o p+q r=s t&u v%w x#y z*',
]


def fill(templates: list[str], things: list[str], words_file: str) -> list[str]:
    singles = (FOLDER / words_file).read_text(encoding="utf-8").split()
    filled = [template.format(thing) for template, thing in itertools.product(templates, things)]
    pairs = [
        f"{a} {b}" for step in (1, 7, 31) for a, b in zip(singles, singles[step:], strict=False)
    ]
    return filled + pairs


def english() -> list[str]:
    return fill(ENGLISH, ENGLISH_THINGS, "words_english.txt")


def russian() -> list[str]:
    return fill(RUSSIAN, RUSSIAN_THINGS, "words_russian.txt")


def learn_merges(sentences: list[str], count: int) -> list[tuple[str, str]]:
    """Plain byte-pair learning: the most frequent neighbours first, ties by spelling."""
    symbols = tiny_model.byte_symbols()
    words: collections.Counter[tuple[str, ...]] = collections.Counter()
    for word in " ".join(sentences).lower().split():
        spelled = [symbols[byte] for byte in word.encode()]
        spelled[-1] += "</w>"
        words[tuple(spelled)] += 1
    merges = []
    for _ in range(count):
        pairs: collections.Counter[tuple[str, str]] = collections.Counter()
        for word, times in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += times
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        merged: collections.Counter[tuple[str, ...]] = collections.Counter()
        for word, times in words.items():
            out: list[str] = []
            i = 0
            while i < len(word):
                if word[i : i + 2] == best:
                    out.append(word[i] + word[i + 1])
                    i += 2
                else:
                    out.append(word[i])
                    i += 1
            merged[tuple(out)] += times
        words = merged
    return merges


def main() -> None:
    merges = learn_merges(english(), ENGLISH_MERGES) + learn_merges(russian(), RUSSIAN_MERGES)
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (FOLDER / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(english() + russian() + ALPHABETS),
        model_writer=model,
        model_type="unigram",
        vocab_size=PIECES,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc",
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        num_threads=1,
        minloglevel=1,
    )
    (FOLDER / "sentencepiece.bpe.model").write_bytes(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    if processor.get_piece_size() != PIECES:
        raise SystemExit(f"the trainer made {processor.get_piece_size()} pieces, expected {PIECES}")
    print(f"{FOLDER}: {len(merges)} merges, {processor.get_piece_size()} pieces")


if __name__ == "__main__":
    main()
