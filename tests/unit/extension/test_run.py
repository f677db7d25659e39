"""Images through the host's loop: batches, seeds, prompts, sizes, stops, progress."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image


def pixels(image):
    return np.asarray(image)


def test_the_entry(host):
    assert host.script.title() == "Kandinsky"
    assert host.script.show(False) is True
    assert host.img2img_script.show(True) is True


def test_two_batches_of_two_and_their_grid(host):
    processed = host.txt2img(prompt="a red circle", batch_size=2, n_iter=2, seed=5)
    assert len(processed.images) == 5
    assert processed.index_of_first_image == 1
    assert processed.all_seeds == [5, 6, 7, 8]
    assert len({image.tobytes() for image in processed.images[1:]}) == 4
    samples = host.processing.saved(host.out / "samples")
    assert len(samples) == 4
    assert len(host.processing.saved(host.out / "grids")) == 1
    for file, image in zip(samples, processed.images[1:], strict=True):
        assert Image.open(file).tobytes() == image.tobytes()
        assert Image.open(file).info["parameters"] == image.info["parameters"]
    assert [call["seeds"] for call in host.called("denoise")] == [[5, 6], [7, 8]]


def test_an_image_is_the_same_alone(host):
    batch = host.txt2img(prompt="x", batch_size=3, seed=5).images[1:]
    alone = host.txt2img(prompt="x", seed=7).images[0]
    assert pixels(batch[2]).tobytes() == pixels(alone).tobytes()


def test_the_same_seed_twice_is_the_same_file(host):
    host.txt2img(prompt="x", seed=5)
    host.txt2img(prompt="x", seed=5)
    first, second = host.processing.saved(host.out / "samples")
    assert first.read_bytes() == second.read_bytes()


def test_every_level_survives_the_hosts_rounding(host, monkeypatch):
    ramp = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 1, 256, 3).repeat(8, axis=1)
    monkeypatch.setattr(host.engine.Engine, "decode", lambda self, z, **options: ramp)
    image = host.txt2img(width=256, height=8).images[0]
    assert (pixels(image) == ramp[0]).all()


@pytest.mark.parametrize("seed", [0, 2**32 - 1, 2**64 - 1, -7])
def test_any_seed_reaches_the_engine_unsigned(host, seed):
    host.txt2img(seed=seed)
    assert host.called("encode_prompts")[0]["seeds"] == [seed % 2**64]
    assert host.called("denoise")[0]["seeds"] == [seed % 2**64]


@pytest.mark.parametrize(("width", "height"), [(300, 200), (128, 128), (64, 512), (8, 8), (65, 63)])
def test_an_image_has_just_the_size_asked_for(host, width, height):
    processed = host.txt2img(width=width, height=height)
    assert processed.images[0].size == (width, height)
    assert f"Size: {width}x{height}" in processed.infotexts[0]


def test_host_numbers_reach_the_engine(host):
    host.txt2img(steps=11, cfg_scale=6.5, prompt="p", negative_prompt="n", args=(13, 2.5))
    encode, denoise = host.called("encode_prompts")[0], host.called("denoise")[0]
    assert encode == {
        "prompts": ["p"],
        "negative_prompts": ["n"],
        "seeds": [1],
        "with_negative": True,
        "prior_num_inference_steps": 13,
        "prior_guidance_scale": 2.5,
        "negative_image": "zero",
        "parse_weights": True,
        "long_prompts": False,
    }
    assert denoise["num_inference_steps"] == 11
    assert denoise["guidance_scale"] == 6.5
    assert denoise["noise"] is None


def test_an_empty_negative_prompt_is_absent(host):
    host.txt2img(negative_prompt="")
    assert host.called("encode_prompts")[0]["negative_prompts"] is None


@pytest.mark.parametrize("cfg_scale", [1, 0.5])
def test_without_guidance_nothing_is_made_for_the_negative_side(host, cfg_scale):
    """With it, the second negative prompt would need a row of its own."""
    host.txt2img(prompt="x", negative_prompt="[n:m:2]", cfg_scale=cfg_scale, steps=4)
    (encode,), (denoise,) = host.called("encode_prompts"), host.called("denoise")
    assert (encode["prompts"], encode["negative_prompts"]) == (["x"], ["n"])
    assert not encode["with_negative"]
    assert denoise["negative_embeds"] is denoise["negative_conditions"] is None


def test_guidance_in_a_later_run_makes_the_negative_side(host):
    for cfg_scale in (1, 1.5):
        host.txt2img(prompt="x", negative_prompt="n", cfg_scale=cfg_scale)
    assert [call["with_negative"] for call in host.called("encode_prompts")] == [False, True]
    assert host.called("denoise")[1]["negative_embeds"] is not None


def test_prompts_of_their_own_for_each_image(host):
    host.txt2img(prompt=["a", "b", "c", "d"], negative_prompt=["", "n", "", "m"], batch_size=4)
    given, absent = sorted(host.called("encode_prompts"), key=lambda c: c["prompts"], reverse=True)
    assert (given["prompts"], given["negative_prompts"]) == (["b", "d"], ["n", "m"])
    assert (absent["prompts"], absent["negative_prompts"]) == (["a", "c"], None)


def test_a_neighbours_negative_prompt_changes_nothing(host):
    mixed = host.txt2img(
        prompt=["a", "b", "c"], negative_prompt=["", "n", ""], batch_size=3, seed=4
    ).images[1:]
    alone = [
        host.txt2img(prompt=prompt, negative_prompt=negative, seed=seed).images[0]
        for prompt, negative, seed in (("a", "", 4), ("b", "n", 5), ("c", "", 6))
    ]
    assert [image.tobytes() for image in mixed] == [image.tobytes() for image in alone]


def test_styles_are_applied(host):
    host.shared.prompt_styles.styles["ink"] = ("{prompt}, in ink", "colour")
    processed = host.txt2img(prompt="a cat", styles=["ink"])
    call = host.called("encode_prompts")[0]
    assert (call["prompts"], call["negative_prompts"]) == (["a cat, in ink"], ["colour"])
    assert processed.infotexts[0].startswith("a cat, in ink\nNegative prompt: colour\n")


def test_extra_networks_that_have_no_effect_are_taken_out_and_said(host):
    processed = host.txt2img(prompt="a circle<hypernet:ink:0.8>", batch_size=2)
    assert host.called("encode_prompts")[0]["prompts"] == ["a circle"] * 2
    assert processed.comments == "Prompt: Kandinsky ignores <hypernet:...>.\n"


@pytest.mark.parametrize("emphasis", ["Original", "No norm"])
def test_emphasis_is_the_engines_to_read(host, emphasis):
    host.shared.opts.emphasis = emphasis
    processed = host.txt2img(prompt=r"a (red:1.3) [pale] BREAK \(round\) круг")
    call = host.called("encode_prompts")[0]
    assert call["prompts"] == [r"a (red:1.3) [pale] BREAK \(round\) круг"]
    assert call["parse_weights"] is True
    assert processed.comments == ""
    assert "Emphasis" not in processed.infotexts[0]


@pytest.mark.parametrize(
    ("emphasis", "text"), [("None", "a (red:1.3) [pale]"), ("Ignore", "a red pale")]
)
def test_brackets_mean_what_the_hosts_setting_says(host, emphasis, text):
    host.shared.opts.emphasis = emphasis
    processed = host.txt2img(prompt="a (red:1.3) [pale]")
    call = host.called("encode_prompts")[0]
    assert call["prompts"] == [text]
    assert call["parse_weights"] is False
    assert f"Emphasis: {emphasis}" in processed.infotexts[0]


def test_an_older_hosts_setting_for_brackets(host):
    host.shared.opts.enable_emphasis = False
    host.txt2img(prompt="a (red:1.3) circle")
    assert host.called("encode_prompts")[0]["parse_weights"] is False


def test_the_prior_runs_once_for_equal_embeddings(host):
    host.txt2img(prompt="x", seed=5, steps=4)
    host.txt2img(prompt="x", seed=5, steps=9, cfg_scale=2.0)
    assert len(host.called("prior")) == 1
    assert len(host.called("denoise")) == 2


def test_an_image_of_cached_embeddings_is_the_same(host):
    """Alone and with other neighbours."""
    fields = {"prompt": ["a", "b", "c"], "negative_prompt": ["", "n", ""], "batch_size": 3}
    first = host.txt2img(seed=4, **fields).images[1:]
    fields["prompt"] = ["a", "b", "d"]
    second = host.txt2img(seed=4, **fields).images[1:]
    alone = [
        host.txt2img(prompt=prompt, negative_prompt=negative, seed=seed).images[0]
        for prompt, negative, seed in (("a", "", 4), ("b", "n", 5), ("c", "", 6))
    ]
    assert [call["prompts"] for call in host.called("prior")] == [["b"], ["a", "c"], ["d"]]
    assert [image.tobytes() for image in second[:2]] == [image.tobytes() for image in first[:2]]
    assert [image.tobytes() for image in alone] == [image.tobytes() for image in first]


@pytest.mark.parametrize(
    "change",
    [{"prompt": "y"}, {"seed": 6}, {"negative_prompt": "n"}, {"args": (24,)}, {"args": (25, 5.0)}],
)
def test_other_embeddings_are_made_anew(host, change):
    host.txt2img(prompt="x", seed=5)
    host.txt2img(**{"prompt": "x", "seed": 5, **change})
    assert len(host.called("prior")) == 2


def test_the_engine_stays_open_and_is_reopened_for_another_precision(host):
    host.txt2img()
    host.txt2img()
    assert len(host.called("open")) == 1
    host.txt2img(args=(25, 4.0, "toy", "bf16"))
    assert [name for name, _ in host.calls if name in ("open", "close")] == [
        "open",
        "close",
        "open",
    ]
    assert host.called("open")[1]["precision"] == "bf16"


@pytest.mark.parametrize(
    ("precisions", "opened"),
    [
        (["auto", "fp32", "auto"], ["auto"]),
        (["fp32", "auto", "fp32"], ["fp32", "auto"]),
        (["auto", "bf16", "auto", "fp32"], ["auto", "bf16", "auto"]),
        (["auto", "bf16", "fp32", "auto"], ["auto", "bf16", "fp32"]),
        (["bf16", "bf16", "auto"], ["bf16", "auto"]),
    ],
)
def test_the_engine_stays_open_for_another_name_of_its_precision(host, precisions, opened):
    """What is "auto" is only known when it was opened once."""
    for precision in precisions:
        host.txt2img(args=(25, 4.0, "toy", precision))
    assert [call["precision"] for call in host.called("open")] == opened


def test_the_same_precision_of_another_model_is_another_engine(host):
    other = host.toy.with_name("other")
    other.mkdir()
    (other / "model_index.json").write_text((host.toy / "model_index.json").read_text())
    host.txt2img(args=(25, 4.0, "toy", "auto"))
    host.txt2img(args=(25, 4.0, "other", "fp32"))
    assert len(host.called("open")) == 2


def test_a_pasted_image_of_ones_own_needs_no_other_engine(host):
    host.generate_pasted(host.txt2img().infotexts[0])
    assert len(host.called("open")) == 1
    assert host.called("close") == []


def test_the_engine_survives_a_reloaded_page(host):
    host.txt2img()
    root = Path(__file__).parents[3]
    host.script, _ = host.scripts.load_script(root / "scripts" / "kandinsky.py")
    host.txt2img()
    assert len(host.called("open")) == 1
    assert len(host.script_callbacks.pasted) == 1


def test_variation_seeds_use_the_hosts_noise(host):
    host.txt2img(subseed=9, subseed_strength=0.4, batch_size=2)
    noise = host.called("denoise")[0]["noise"]
    assert noise.shape == (2, 4, 16, 16)
    assert noise.dtype == np.float32
    assert host.called("denoise")[0]["seeds"] == [1, 1]
    assert (noise[0] != noise[1]).any()


def test_variation_seeds_work_at_sizes_that_the_host_rounds_down(host):
    processed = host.txt2img(subseed=9, subseed_strength=0.4, width=300, height=200)
    assert host.called("denoise")[0]["noise"].shape == (1, 4, 32, 40)
    assert host.rng.made[-1].subseed_strength == 0.4
    assert processed.images[0].size == (300, 200)


def test_remarks(host):
    processed = host.txt2img(sampler_name="DPM adaptive", width=512, height=512)
    assert 'no "DPM adaptive" and used DPM++ 2M' in processed.comments
    assert "128x128" in processed.comments
    assert host.txt2img().comments == ""


def test_the_engines_remarks_are_shown_once(host):
    comments = host.txt2img(prompt="word " * 100, batch_size=2, n_iter=2).comments
    assert comments.count("cut after 77 tokens") == 1


def test_the_engines_remarks_belong_to_cached_embeddings_too(host):
    for _ in range(2):
        assert "cut after 77 tokens" in host.txt2img(prompt="word " * 100).comments
    assert len(host.called("prior")) == 1


def test_a_model_without_previews_generates_all_the_same(host, monkeypatch):
    def fail(*_args):
        raise host.engine.NotFoundError("the encoder's weights are missing")

    monkeypatch.setattr(host.engine.Engine, "encode", fail)
    processed = host.txt2img()
    assert len(processed.images) == 1
    assert "Preview: not available for this model: the encoder's" in processed.comments


def test_an_unusable_device_is_said(host):
    host.devices.device = torch.device("meta")
    assert '"meta"' in host.txt2img().comments
    assert host.called("open")[0]["device"] == "cpu"


def spy_on_progress(host, monkeypatch):
    """The step, the number of steps and the text of each report from now on."""
    seen = []
    state = host.shared.state
    advance = host.ext("host.watcher").HostWatcher.advance

    def spy(self, done, text):
        advance(self, done, text)
        seen.append((state.sampling_step, state.sampling_steps, text))

    monkeypatch.setattr(host.ext("host.watcher").HostWatcher, "advance", spy)
    return seen


def test_progress_counts_every_step_once(host, monkeypatch):
    seen = spy_on_progress(host, monkeypatch)
    host.txt2img(steps=4, batch_size=2, args=(6,))
    done = [step for step, _, _ in seen]
    assert done == sorted(done)
    assert set(done) == set(range(6 + 4 + 2 + 1))
    assert {total for _, total, _ in seen} == {12}
    assert host.shared.total_tqdm.updates == 12
    texts = " / ".join(text for _, _, text in seen)
    for words in (
        "encoding the prompt",
        "prior, step 3 of 6",
        "denoising, step 4 of 4",
        "decoding",
    ):
        assert words in texts


def test_steps_of_a_prior_that_does_not_run_are_done_at_once(host, monkeypatch):
    host.txt2img(steps=4, batch_size=2, args=(6,))
    seen = spy_on_progress(host, monkeypatch)
    updates = host.shared.total_tqdm.updates
    host.txt2img(steps=4, batch_size=2, args=(6,))
    assert not any("prior" in text for _, _, text in seen)
    done = [step for step, _, _ in seen]
    assert done == sorted(done)
    assert set(done) == {0, *range(6, 6 + 4 + 2 + 1)}
    assert {total for _, total, _ in seen} == {12}
    assert host.shared.total_tqdm.updates - updates == 12


def stop_at(host, monkeypatch, stage, step, flag):
    """Presses a button at a step of a stage. Returns the steps that came after it."""
    after = []
    advance = host.ext("host.watcher").HostWatcher.advance

    def pressing(self, done, text):
        advance(self, done, text)
        if getattr(host.shared.state, flag):
            after.append(text)
        if f"{stage}, step {step} " in text:
            setattr(host.shared.state, flag, True)

    monkeypatch.setattr(host.ext("host.watcher").HostWatcher, "advance", pressing)
    return after


def test_interrupt_while_generating_gives_what_there_is(host, monkeypatch):
    after = stop_at(host, monkeypatch, "denoising", 3, "interrupted")
    processed = host.txt2img(prompt="x", steps=20, n_iter=3)
    assert len(processed.images) == 1
    assert all("decoding" in text for text in after), after
    assert pixels(processed.images[0]).max() > 0
    assert host.processing.saved(host.out / "samples") == []


@pytest.mark.parametrize(("stage", "step"), [("prior", 0), ("prior", 5), ("denoising", 0)])
def test_interrupt_before_there_is_anything_is_quick(host, monkeypatch, stage, step):
    stop_at(host, monkeypatch, stage, step, "interrupted")
    processed = host.txt2img(prompt="x", width=192, batch_size=2, n_iter=3)
    assert len(processed.images) == 3
    assert processed.images[1].size == (192, 128)
    assert host.called("decode") == []
    monkeypatch.undo()


def test_an_interrupted_prior_is_not_kept(host, monkeypatch):
    with monkeypatch.context() as patch:
        stop_at(host, patch, "prior", 5, "interrupted")
        host.txt2img(prompt="x")
    host.txt2img(prompt="x")
    assert len(host.called("prior")) == 2
    assert len(host.called("denoise")) == 1


def test_skip_goes_on_with_the_next_batch(host, monkeypatch):
    state = host.shared.state
    advance = host.ext("host.watcher").HostWatcher.advance

    def pressing(self, done, text):
        advance(self, done, text)
        if state.job_no == 0 and "denoising, step 2 " in text:
            state.skipped = True

    monkeypatch.setattr(host.ext("host.watcher").HostWatcher, "advance", pressing)
    processed = host.txt2img(prompt="x", steps=9, n_iter=3)
    assert len(processed.images) == 4
    assert len(host.processing.saved(host.out / "samples")) == 2


def test_stop_after_this_image_finishes_it(host, monkeypatch):
    after = stop_at(host, monkeypatch, "denoising", 2, "stopping_generation")
    processed = host.txt2img(prompt="x", steps=5, n_iter=3)
    assert len(processed.images) == 1
    assert any("denoising, step 5 of 5" in text for text in after)
    assert len(host.processing.saved(host.out / "samples")) == 1


def test_previews_come_at_the_hosts_interval(host):
    shown = []
    state = host.shared.state
    assign = state.assign_current_image
    state.assign_current_image = lambda image: (assign(image), shown.append(image))
    host.shared.opts.show_progress_every_n_steps = 3
    processed = host.txt2img(prompt="x", steps=10, batch_size=2)
    assert len(shown) == 3
    assert shown[-1].size == (256, 128), "a grid of two"
    assert state.current_latent is None
    final = np.concatenate([pixels(image) for image in processed.images[1:]], axis=1)
    assert abs(pixels(shown[-1]).astype(float) - final).mean() < 6
    host.shared.opts.show_progress_grid = False
    host.txt2img(prompt="x", steps=3, batch_size=2)
    assert shown[-1].size == (128, 128)
    assert len(host.called("encode")) == 1, "the colours are measured once a model"


@pytest.mark.parametrize(
    "option", [("live_previews_enable", False), ("show_progress_every_n_steps", -1)]
)
def test_no_preview_no_cost(host, option):
    setattr(host.shared.opts, *option)
    host.txt2img(steps=30)
    assert host.shared.state.id_live_preview == 0
    assert host.called("encode") == []


@pytest.mark.parametrize(
    ("option", "value", "shown"),
    [
        ("show_progress_every_n_steps", 0, 4),
        ("show_progress_every_n_steps", -1, 4),
        ("show_progress_every_n_steps", 5, 5),
        ("live_previews_enable", False, 4),
    ],
)
def test_the_settings_of_previews_may_change_meanwhile(host, monkeypatch, option, value, shown):
    opts = host.shared.opts
    opts.show_progress_every_n_steps = 1
    advance = host.ext("host.watcher").HostWatcher.advance

    def changing(self, done, text):
        if "denoising, step 5 " in text:
            setattr(opts, option, value)
        advance(self, done, text)

    monkeypatch.setattr(host.ext("host.watcher").HostWatcher, "advance", changing)
    processed = host.txt2img(steps=9)
    assert len(processed.images) == 1
    assert host.shared.state.id_live_preview == shown


def test_the_result_is_an_image_file(host):
    image = host.txt2img(prompt="x").images[0]
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    assert Image.open(io.BytesIO(buffer.getvalue())).mode == "RGB"


@pytest.mark.parametrize(
    ("value", "nbytes"),
    [(0, 0), (3, 3_000_000_000), (2.5, 2_500_000_000), ("3", 3_000_000_000)]
    + [(value, 0) for value in (-1, None, "much", float("nan"), float("inf"), 1e9)],
)
def test_the_memory_limit_of_the_settings_page_reaches_the_engine(host, value, nbytes):
    host.script_callbacks.ui_settings_callback()
    option = host.shared.opts.data_labels["kandinsky_max_memory"]
    assert option.default == 0
    assert option.section == ("kandinsky", "Kandinsky")
    host.shared.opts.kandinsky_max_memory = value
    host.txt2img()
    assert host.called("open")[0]["max_memory"] == nbytes


@pytest.mark.parametrize(
    ("setting", "field", "opened"),
    [("auto", "auto", "auto"), ("fp32", "auto", "fp32"), ("fp32", "bf16", "bf16")],
)
def test_the_precision_of_the_settings_page_is_what_automatic_means(host, setting, field, opened):
    host.script_callbacks.ui_settings_callback()
    assert host.shared.opts.data_labels["kandinsky_precision"].default == "auto"
    host.shared.opts.kandinsky_precision = setting
    host.txt2img(args=host.settings(precision=field))
    assert host.called("open")[0]["precision"] == opened


def test_speed_ups_of_the_settings_page_are_left_out(host):
    host.script_callbacks.ui_settings_callback()
    host.shared.opts.kandinsky_without = " winograd, prompt-cache,"
    host.txt2img()
    assert [*host.called("open")[0]["without"]] == ["winograd", "prompt-cache"]


@pytest.mark.parametrize(("value", "nbytes"), [(0, 0), (8, 8_000_000_000), ("much", 0)])
def test_the_space_for_prepared_weights_reaches_the_engine(host, value, nbytes):
    host.script_callbacks.ui_settings_callback()
    assert host.shared.opts.data_labels["kandinsky_prepared_weights"].default == 0
    host.shared.opts.kandinsky_prepared_weights = value
    host.txt2img()
    opened = host.called("open")[0]
    assert opened["prepared_weights_size"] == nbytes
    folder = Path(opened["prepared_weights"]) if nbytes else None
    assert folder is None or folder.parts[-2:] == ("Kandinsky", ".prepared")


@pytest.mark.parametrize("value", [2, 0])
def test_the_memory_limit_can_be_overridden_for_one_run(host, value):
    host.script_callbacks.ui_settings_callback()
    host.shared.opts.kandinsky_max_memory = 3
    host.txt2img(override_settings={"kandinsky_max_memory": value})
    assert host.called("open")[0]["max_memory"] == value * 1_000_000_000
    assert host.shared.opts.kandinsky_max_memory == 3


@pytest.mark.parametrize("field", ["steps", "n_iter", "batch_size"])
@pytest.mark.parametrize("value", [0, -3])
def test_a_number_that_only_a_program_sends_is_refused(host, field, value):
    with pytest.raises(host.ext("errors").UserError, match=f"{value}, expected 1 or more"):
        host.txt2img(**{field: value})


def test_without_the_settings_page_there_is_no_memory_limit(host):
    host.txt2img()
    assert host.called("open")[0]["max_memory"] == 0


@pytest.mark.parametrize("images", [0, 1], ids=["txt2img", "img2img"])
def test_the_console_stays_quiet(host, capfd, images):
    """Also on remarks, previews, a hires pass, and a sampler that is replaced."""
    host.shared.opts.show_progress_every_n_steps = 1
    fields = {"prompt": "<lora:x:1> x", "sampler_name": "Restart", "n_iter": 2, "width": 640}
    capfd.readouterr()
    if images:
        host.img2img(Image.new("RGB", (64, 64)), **fields)
    else:
        host.txt2img(enable_hr=True, **fields)
    out, err = capfd.readouterr()
    assert len((out + err).splitlines()) <= 1
