"""Makes the small tokenizers in data/ and the ids that transformers gives for the prompts below.

Run with transformers 4.57.6, ftfy 6.3.1, sentencepiece 0.2.0 and protobuf installed:

    python make_data.py

Everything but XLM-R's model is deterministic; the C++ tests compare every id. CLIP's are those
of CLIPTokenizer, the class that models name, which repairs texts with ftfy; for XLM-R the
reference reads the text as it is. Prompts in which ftfy sees text that was decoded by the wrong
rule are left out: we do not guess that.
"""

import collections
import html.entities
import io
import itertools
import json
import pathlib
import random
import re
import unicodedata

import ftfy
import sentencepiece
import transformers
from transformers import CLIPTokenizer, XLMRobertaTokenizer, XLMRobertaTokenizerFast

DATA = pathlib.Path(__file__).parent / "data"
NUM_CLIP_MERGES = 300
NUM_PIECES = 400
NUM_ODD_PROMPTS = 800

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

# What odd prompts are put together from.
ODD_WORDS = """
a red circle CAT Paint it's they're don't 4k 35mm ὈΔΥΣΣΕΎΣ ΟΔΟΣ ΣΑΣ ΣΣ Σ ΌΣΟΣ' İstanbul кот
КРАСНЫЙ ёж 一只红色的猫 赤い丸 한국어 قطة חתול ลูกแมว लाल ß ẞ ſ 'ſ 'S ﬂuﬃeﬆ Ω K Å ½ ² Ⅻ ① ℃ ™
ª º ⓐ 𝒜 🄰
"""
PUNCTUATION = [
    *" .,:;!?-_()[]{}<>/|@#$%^&*+=~`'\"’‘“”‚„‟ʼ…—«»、。「」！？＂＇，．（）＜＞＆；·",
    *("\u0387", "\u037e", "\u1fef", "\u2024"),
]
NUMBERS = [
    "39",
    "x27",
    "x2019",
    "8217",
    "65",
    "0",
    "128",
    "150",
    "x9f",
    "xD83D",
    "1114112",
    "59",
    "27",
    "65279",
    "xfdd0",
    "xfffe",
    "X41",
    "x",
    "12ab",
    "769",
]
ENTITIES = [
    *(f"&#{number};" for number in NUMBERS),
    *(f"&{name}" for name in html.entities.html5),
    *(f"&{name.upper()}" for name in html.entities.html5),
    *("&amp;", "&lt;", "&gt;", "&quot;", "&nbsp;", "&hellip;", "&rsquo;", "&eacute;") * 200,
    *("&amp;amp;", "&amp;lt;", "&amp;#38;amp;", "&amp&semi;", "&#xFF06;amp;", "&amp\u037e", "&foo;")
    * 50,
    *("&ａｍｐ；", "＆amp;", "&am\x01p;", "&ﬁlig;", "&#000000000000000000000065;", "e&#769;") * 50,
]
SPACES = [
    *" \t\n\r\x0b\x0c\x1c\x1f\x85\u00a0\u1680\u180e\u2003\u200b\u2028\u2029\u2060\u3000\ufeff",
    "\r\n",
]
MARKS = [
    *"\u0301\u0308\u0323\u0307\u030a\u3099\u309a\u064b\u0345\u200c\u200d\u200e\u202e\u00ad",
    *"\ufe0f\u20dd\u0338",
]
CONTROLS = [
    *map(chr, range(32)),
    *("\x7f", "\x1b[31m", "\x1b[1;2m", "\x1b[", "\x1b[٣m", "\u206a", "\ufff9", "\ufffc", "\ufffd"),
]
C1_CONTROLS = [chr(c) for c in range(0x80, 0xA0)]
WIDTHS = [chr(c) for c in range(0xFF01, 0xFFF0)]
LIGATURES = [
    chr(c)
    for c in (
        0x132,
        0x133,
        0x149,
        *range(0x1C4, 0x1CD),
        *range(0x1F1, 0x1F4),
        *range(0xFB00, 0xFB07),
    )
]
EMOJI = [
    "\U0001f600",
    "\U0001f3a8",
    "\U0001f469\u200d\U0001f3a8",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f3f3\ufe0f\u200d\U0001f308",
    "\U0001f1e9\U0001f1ea",
    "\U0001f44d\U0001f3fd",
    "\u2764\ufe0f",
    "\u263a",
    "\u2714",
    "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
]
SPECIALS = [
    *(
        "<|startoftext|>",
        "<|endoftext|>",
        "<|STARTOFTEXT|>",
        "<|EndOfText|>",
        "&lt;|endoftext|&gt;",
    ),
    *("<|endoftext", "|>", "!", "！", "<", "</w>"),
]
ASSIGNED = [
    chr(c) for c in range(0x30000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")
]
KINDS = [
    [ODD_WORDS.split(), PUNCTUATION, SPACES],
    [ODD_WORDS.split(), PUNCTUATION, ENTITIES],
    [ODD_WORDS.split(), MARKS, ASSIGNED],
    [ODD_WORDS.split(), CONTROLS, C1_CONTROLS, ENTITIES],
    [ODD_WORDS.split(), WIDTHS, LIGATURES, SPACES],
    [ODD_WORDS.split(), EMOJI, SPECIALS, SPACES],
    [ASSIGNED],
    [
        *(
            ODD_WORDS.split(),
            PUNCTUATION,
            ENTITIES,
            SPACES,
            MARKS,
            CONTROLS,
            C1_CONTROLS,
            WIDTHS,
            LIGATURES,
        ),
        *(EMOJI, SPECIALS, ASSIGNED),
    ],
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
    return CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), pad_token="!", model_max_length=77
    )


def make_xlmr(folder):
    """The model is trained once: another version of SentencePiece would train another."""
    path = folder / "sentencepiece.bpe.model"
    if not path.exists():
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


def odd_prompts():
    """By turns of all kinds, without those that ftfy would decode."""
    source = random.Random(0)
    for i in itertools.count():
        pools = KINDS[i % len(KINDS)]
        parts = [
            source.choice(source.choice(pools)) + source.choice(["", "", " "])
            for _ in range(source.randrange(1, 12))
        ]
        prompt = "".join(parts)
        if ftfy.fix_text(prompt) == ftfy.fix_text(prompt, fix_encoding=False):
            yield prompt


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
    odd = [
        json.dumps([prompt, clip(prompt, add_special_tokens=False)["input_ids"]])
        for prompt in itertools.islice(odd_prompts(), NUM_ODD_PROMPTS)
    ]
    (DATA / "clip_odd.json").write_text("[\n" + ",\n".join(odd) + "\n]\n")
    print(f"{len(rows)} prompts with transformers {transformers.__version__}, {len(odd)} odd ones")
    for text in differ:
        print(f"XLMRobertaTokenizerFast differs from XLMRobertaTokenizer: {text!r}")


if __name__ == "__main__":
    main()
