"""Makes the small tokenizers in data/ and the ids that transformers gives for the prompts below.

Run with transformers 4.57.6, sentencepiece 0.2.0 and protobuf installed:  python make_data.py
Everything is deterministic; the C++ tests compare every id.
"""

import collections
import io
import itertools
import json
import pathlib
import re

import sentencepiece
import transformers
from transformers import CLIPTokenizerFast, XLMRobertaTokenizer, XLMRobertaTokenizerFast

DATA = pathlib.Path(__file__).parent / "data"
NUM_CLIP_MERGES = 300
NUM_PIECES = 400

CORPUS = """
a red circle on a white background
a painting of a cat that sleeps on a blue chair, oil on canvas, by an old master
two birds over the sea at sunset, highly detailed, soft light, trending
it's raining and they're happy; we've seen that I'd win and you'll lose, don't you think?
green squares and yellow triangles in a row, flat colours, no shadows
the quick brown fox jumps over the lazy dog 1234567890
portrait of a young woman with a hat, photo, 35mm, f/1.8, 4k
кот сидит на красном стуле и смотрит в окно
красный круг на белом фоне
зелёный лес, утренний туман, картина маслом, высокая детализация
две птицы над морем на закате
портрет девушки в шляпе, фотография
一只红色的猫坐在椅子上
白色背景上的红色圆圈
海上的日落和两只鸟
赤い丸と白い背景、猫が椅子で眠る
ein schönes Haus mit großem Garten, ein roter Kreis auf weißem Grund
un café près de la forêt, œuvre très détaillée, à l'huile
niño pequeño con un sombrero rojo
قطة حمراء على كرسي أبيض
""".strip().split("\n")

PROMPTS = [
    "",
    " ",
    "   \t\n  ",
    "a",
    "A",
    "a red circle",
    "a red circle on a white background",
    "A Red CIRCLE On A White Background",
    "  leading and trailing  ",
    "many     spaces\tand\ttabs\nand\r\nnew lines",
    "no\u00a0break\u2003em\u3000ideographic\u2028line\u0085next",
    "zero\u200bwidth\u200djoiner\ufeffmark\u00adsoft",
    "control\x01char\x1facter\x7f",
    "it's they're we've I'd you'll I'm don't",
    "IT'S THEY'RE WE'VE I'D YOU'LL I'M DON'T",
    "it’s typographic ‘quotes’ and “more”",
    "'s 't 're 've 'm 'll 'd 'x ''s",
    "cat's' 'cats'",
    "hello, world! (really?) [yes] {no} <ok>",
    "!!! ... ???!!! --- *** ___ ~~~",
    "a,b.c;d:e/f\\g|h",
    "snake_case and kebab-case and CamelCase",
    "1234567890",
    "4k 8K 35mm f/1.8 1,000.50 20%",
    "x2 2x x² ½ ¾ Ⅻ ① ٣ ३ 一 二",
    "e=mc^2 & a<b>c #tag @name $5 €7 £8 100%",
    "http://example.com/a?b=c&d=e#f",
    "кот",
    "красный круг на белом фоне",
    "Красный КРУГ на Белом Фоне",
    "зелёный ёж ЁЖ е\u0308ж",
    "портрет девушки, масло, холст, 4к",
    "ґ є і ї ў џ ђ",
    "一只红色的猫",
    "白色背景上的红色圆圈，高清。",
    "赤い丸と白い背景",
    "ｶﾀｶﾅ ﾊﾝｶｸ ＡＢＣ １２３",
    "한국어 프롬프트 고양이",
    "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "قطة حمراء على كرسي",
    "חתול אדום על כיסא",
    "ลูกแมวสีแดง",
    "लाल बिल्ली",
    "😀",
    "a 😀 red 🎨 cat 🐱🐱",
    "👩‍🎨 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 👍🏽",
    "café cafe\u0301 CAFÉ",
    "A\u030a \u212b Å å",
    "q\u0307\u0323 q\u0323\u0307 \u1e69 s\u0323\u0307 s\u0307\u0323",
    "\u0301leading mark",
    "Ö ö O\u0308 ß ẞ SS",
    "İstanbul ISTANBUL ıstanbul",
    "ΑΣ ΟΔΟΣ σας ΌΣΟΣ",
    "ǅ ǆ Ǆ ﬁ ﬂ ﬀ ĳ",
    "Ω Ω K K ℃ ™ ①",
    "<|startoftext|>",
    "a <|endoftext|> b",
    "a<|startoftext|>b<|endoftext|><|endoftext|>",
    "<|STARTOFTEXT|> <|EndOfText|>",
    "<|endoftext| > <|endoftex|> <||>",
    "a </w> b</w>",
    "<s> a </s>",
    "a<s>b</s>c<pad>d<unk>e<mask>f",
    "a <mask> b  <mask>",
    "<mask>",
    "<s></s>",
    "▁ a▁b ▁▁",
    "Ġ Ģ â Ī",
    "\u0000a\u0000b",
    "\ufffd \ufffe \U0010ffff \ue000",
    "𝒜 𝔞 𝟘 𠀀 𐐀 𐐨",
    "one two three four five six seven eight nine ten " * 12,
    "красный круг на белом фоне и кот " * 12,
    "一只红色的猫坐在椅子上" * 12,
    "😀🎨" * 60,
    "supercalifragilisticexpialidocious" * 20,
    "a " * 74,
    "a " * 75,
    "a " * 76,
    "a " * 77,
]

# Too long to be stored: the test repeats the text itself.
REPEATED = [
    ["a red circle on a white background, ", 15000],
    ["кот ", 100000],
    ["a", 200000],
    ["aB1 ", 100000],
    ["猫", 50000],
]


def byte_symbols():
    """GPT-2's printable stand-in for each byte, in the order of CLIP's vocabulary."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    moved = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte) for byte in kept} | {byte: chr(256 + i) for i, byte in enumerate(moved)}


def train_clip_merges():
    symbols = byte_symbols()
    words = collections.Counter()
    for line in CORPUS:
        for word in re.findall(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|[^\s\w]+", line.lower()):
            mapped = [symbols[byte] for byte in word.encode()]
            words[(*mapped[:-1], mapped[-1] + "</w>")] += 1
    merges = []
    while len(merges) < NUM_CLIP_MERGES:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in itertools.pairwise(word):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        merged = collections.Counter()
        for word, count in words.items():
            parts, i = [], 0
            while i < len(word):
                if word[i : i + 2] == best:
                    parts.append(word[i] + word[i + 1])
                    i += 2
                else:
                    parts.append(word[i])
                    i += 1
            merged[tuple(parts)] += count
        words = merged
    return merges


def make_clip(folder):
    folder.mkdir(parents=True, exist_ok=True)
    merges = train_clip_merges()
    symbols = list(byte_symbols().values())
    tokens = symbols + [s + "</w>" for s in symbols] + [a + b for a, b in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    assert len(set(tokens)) == len(tokens)
    vocab = {token: i for i, token in enumerate(tokens)}
    text = json.dumps(vocab, ensure_ascii=False, indent=0)
    (folder / "vocab.json").write_text(text + "\n", encoding="utf-8")
    lines = ["#version: 0.2", *(f"{a} {b}" for a, b in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "special_tokens_map.json").write_text('{"pad_token": "!"}\n')
    return CLIPTokenizerFast(
        str(folder / "vocab.json"), str(folder / "merges.txt"), pad_token="!", model_max_length=77
    )


def make_xlmr(folder):
    folder.mkdir(parents=True, exist_ok=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 20),
        model_writer=model,
        vocab_size=NUM_PIECES,
        model_type="unigram",
        character_coverage=0.999,
        hard_vocab_limit=False,  # so small a corpus does not fill it
        normalization_rule_name="nmt_nfkc",
        num_threads=1,
        minloglevel=2,
    )
    path = folder / "sentencepiece.bpe.model"
    path.write_bytes(model.getvalue())
    return XLMRobertaTokenizer(str(path)), XLMRobertaTokenizerFast(str(path))


def row(tokenizer, prompt):
    out = tokenizer(prompt, max_length=77, padding="max_length", truncation=True)
    content = tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
    assert len(out["input_ids"]) == 77
    return {
        "ids": out["input_ids"],
        "num_ones": sum(out["attention_mask"]),
        "num_tokens": len(content),
    }


def main():
    transformers.logging.set_verbosity_error()
    clip = make_clip(DATA / "clip")
    xlmr, xlmr_fast = make_xlmr(DATA / "xlmr")
    rows = []
    differ = []
    for text, times in [*((prompt, 1) for prompt in PROMPTS), *REPEATED]:
        prompt = text * times
        entry = {"text": text, "times": times, "clip": row(clip, prompt), "xlmr": row(xlmr, prompt)}
        if row(xlmr_fast, prompt) != entry["xlmr"]:
            differ.append(text)
        rows.append(entry)
    lines = ",\n".join(json.dumps(entry) for entry in rows)
    (DATA / "expected.json").write_text(f'{{"rows": [\n{lines}\n]}}\n')
    print(f"{len(rows)} prompts with transformers {transformers.__version__}")
    for text in differ:
        print(f"XLMRobertaTokenizerFast differs from XLMRobertaTokenizer: {text!r}")


if __name__ == "__main__":
    main()
