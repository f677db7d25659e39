"""Writes corpus/: for each fuzz target a few small inputs from which mutations find the rest.

    .venv/bin/python tests/fuzz/make_corpus.py

Run by hand when a target changes; the results are committed, so that replaying needs no Python.
What fuzzing found is kept beside them under names that begin with "found-", which this script
leaves alone.
"""

from __future__ import annotations

from corpus_files import CORPUS
from corpus_images import images
from corpus_requests import requests, server
from corpus_texts import models, texts, words
from corpus_weights import checkpoints, configs, conversions, embeds, folders, safetensors


def main() -> None:
    for old in CORPUS.glob("*/*"):
        if not old.name.startswith("found-"):
            old.unlink()
    for make in (
        *(safetensors, checkpoints, embeds, configs, folders, images),
        *(texts, models, words, requests, server, conversions),
    ):
        make()
    total = sum(path.stat().st_size for path in CORPUS.glob("*/*"))
    print(f"{len(list(CORPUS.glob('*/*')))} inputs, {total} bytes")


if __name__ == "__main__":
    main()
