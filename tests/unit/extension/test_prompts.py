"""Prompts that change or combine, as the host's parser resolved them."""

import pytest


def conditions(call, side="conditions"):
    return [(c.row, c.image, c.first_step, c.last_step, c.weight) for c in call[side] or []]


def test_editing(host):
    processed = host.txt2img(prompt="a [cat:dog:0.5]", steps=10)
    assert host.called("encode_prompts")[0]["prompts"] == ["a cat", "a dog"]
    assert conditions(host.called("denoise")[0]) == [(0, 0, 1, 6, 1.0), (1, 0, 7, 10, 1.0)]
    assert processed.comments == ""


def test_editing_in_the_negative_prompt(host):
    host.txt2img(prompt="x", negative_prompt="[red:blue:3]", steps=10)
    call = host.called("encode_prompts")[0]
    assert (call["prompts"], call["negative_prompts"]) == (["x", "x"], ["red", "blue"])
    denoise = host.called("denoise")[0]
    assert denoise["conditions"] is None
    assert conditions(denoise, "negative_conditions") == [(0, 0, 1, 4, 1.0), (1, 0, 5, 10, 1.0)]


def test_alternation(host):
    host.txt2img(prompt="[a|b]", steps=6)
    assert host.called("encode_prompts")[0]["prompts"] == ["a", "b"]
    spans = [(row, first, last) for row, _, first, last, _ in conditions(host.called("denoise")[0])]
    assert spans == [(0, 1, 2), (1, 3, 3), (0, 4, 4), (1, 5, 5), (0, 6, 6)]


def test_and_with_weights(host):
    host.txt2img(prompt="a cat :1.2 AND a dog:-0.5", steps=8)
    texts = [text.strip() for text in host.called("encode_prompts")[0]["prompts"]]
    assert texts == ["a cat", "a dog"]
    assert conditions(host.called("denoise")[0]) == [(0, 0, 1, 8, 1.2), (1, 0, 1, 8, -0.5)]


def test_samplers_that_ask_twice_a_step(host):
    host.txt2img(prompt="[a:b:0.5]", steps=10, sampler_name="Heun")
    assert conditions(host.called("denoise")[0]) == [(0, 0, 1, 6, 1.0), (1, 0, 7, 10, 1.0)]


def test_each_image_of_a_batch_has_its_own(host):
    processed = host.txt2img(prompt=["plain", "[a:b:2]"], batch_size=2, steps=4)
    call = host.called("denoise")[0]
    assert conditions(call) == [(0, 0, 1, 4, 1.0), (1, 1, 1, 3, 1.0), (2, 1, 4, 4, 1.0)]
    assert call["embeds"].batch_size == 3
    alone = host.txt2img(prompt="[a:b:2]", seed=2, steps=4)
    assert processed.images[2].tobytes() == alone.images[0].tobytes()


def test_a_batch_of_changing_prompts_runs_the_prior_once_for_each_text_and_seed(host):
    host.txt2img(prompt="[a|b]", batch_size=2, n_iter=2, steps=6, seed=5)
    host.txt2img(prompt="[a|b]", batch_size=2, n_iter=2, steps=9, seed=5)
    encoded = [
        (text, seed)
        for call in host.called("prior")
        for text, seed in zip(call["prompts"], call["seeds"], strict=True)
    ]
    assert sorted(encoded) == [(text, seed) for text in "ab" for seed in (5, 6, 7, 8)]


def test_more_texts_than_the_engine_takes_at_once(host):
    prompts = [f"[{'|'.join(f'{i}.{j}' for j in range(10))}]" for i in range(8)]
    host.txt2img(prompt=prompts, batch_size=8, steps=11)
    sizes = [len(call["prompts"]) for call in host.called("encode_prompts")]
    assert sizes == [64, 16]
    assert host.called("denoise")[0]["embeds"].batch_size == 80


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 9},
        {"cfg_scale": 2.0},
        {"sampler_name": "Euler"},
        {"width": 192},
        {"args": ("guidance_end", 0.5)},
    ],
)
def test_other_decoder_settings_do_not_run_the_prior_again(host, change):
    if "args" in change:
        change = {"args": host.settings(**dict([change["args"]]))}
    host.txt2img(prompt="x", batch_size=2)
    host.txt2img(**{"prompt": "x", "batch_size": 2, **change})
    assert len(host.called("prior")) == 1


def test_one_image_of_an_earlier_batch_does_not_run_the_prior_again(host):
    host.txt2img(prompt="x", batch_size=3, seed=5)
    host.txt2img(prompt="x", seed=7)
    host.txt2img(prompt="x", batch_size=2, seed=7)
    assert [call["seeds"] for call in host.called("prior")] == [[5, 6, 7], [8]]


@pytest.mark.parametrize(
    ("field", "value"),
    [("negative_image", "prior"), ("long_prompts", True)],
)
def test_settings_that_embeddings_depend_on(host, field, value):
    plain = host.txt2img(prompt="x", negative_prompt="n")
    changed = host.txt2img(prompt="x", negative_prompt="n", args=host.settings(**{field: value}))
    assert host.called("encode_prompts")[1][field] == value
    assert plain.images[0].tobytes() != changed.images[0].tobytes()


@pytest.mark.parametrize(
    ("field", "value"), [("guidance_rescale", 0.7), ("guidance_start", 0.2), ("guidance_end", 0.8)]
)
def test_guidance_settings(host, field, value):
    host.txt2img(args=host.settings(**{field: value}))
    assert host.called("denoise")[0][field] == value


def test_a_host_that_leaves_the_negative_side_out(host, monkeypatch):
    conds = host.processing.StableDiffusionProcessingTxt2Img.conds

    def without(self, *args):
        return conds(self, *args)[0], None

    monkeypatch.setattr(host.processing.StableDiffusionProcessingTxt2Img, "conds", without)
    host.txt2img(prompt="x", negative_prompt="n", cfg_scale=1.0)
    assert host.called("encode_prompts")[0]["negative_prompts"] == ["n"]


ODD = [
    *(
        "",
        " ",
        "AND",
        "AND AND AND",
        " AND ",
        "a AND",
        "a:0 AND b:0",
        "a:1e40 AND b",
        "a :-3 AND b:9",
    ),
    *("[[[[[[a]]]]]]", "(" * 150 + "a", ")" * 50, "[a|b|c" * 30, "[:0]", "[a:b:1e9]", "[a:b:nan]"),
    *(
        "BREAK",
        "BREAK BREAK",
        "word " * 10000,
        "\x00",
        "\ufffe",
        "😀" * 5000,
        "AND ".join("x" * 300),
    ),
    *("[a|b]" * 200, "\\", "\\(", "[a:b:-5]", "[a|b:c:0.5]"),
]


@pytest.mark.parametrize("side", ["prompt", "negative_prompt"])
@pytest.mark.parametrize("prompt", ODD, ids=range(len(ODD)))
def test_odd_prompts_generate_and_leave_the_host_as_it_was(host, prompt, side):
    before = host.snapshot()
    processed = host.txt2img(**{side: prompt, "steps": 3})
    assert len(processed.images) == 1
    assert host.snapshot() == before


@pytest.mark.parametrize("side", ["prompt", "negative_prompt"])
def test_half_of_a_surrogate_pair_is_named_before_the_work(host, side):
    with pytest.raises(host.ext("errors").UserError, match=r"'\\ud83d' at position 3 is half"):
        host.txt2img(**{side: "a \ud83d cat"})
    assert host.called("encode_prompts") == []
    assert len(host.txt2img(prompt="a cat").images) == 1
