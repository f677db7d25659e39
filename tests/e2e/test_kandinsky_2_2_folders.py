"""Kandinsky 2.2's folders, on tiny models: those without a part, and which belong together."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from support.built import (
    DEPTH_2_2,
    INPAINT_2_2,
    MODEL,
    MODEL_2_2,
    PRIOR,
    PRIOR_2_2,
    make_models,
    run_program,
)
from support.kandinsky_2_2 import PRIOR_STEPS, PROMPT, image_to_image, scene, text_to_image

import kandinsky_engine as kandinsky
from kandinsky_engine import Engine

ZERO_IMAGE = "zero_image_embeds.safetensors"


@pytest.fixture
def copies(kandinsky_2_2: Path, tmp_path: Path) -> Path:
    """Models that a test may change."""
    folder = tmp_path / "models"
    shutil.copytree(kandinsky_2_2, folder)
    (folder / PRIOR_2_2 / ZERO_IMAGE).unlink(missing_ok=True)
    return folder


class TestZeroImage:
    def test_is_kept_with_the_weights_it_came_from(self, copies: Path) -> None:
        kept = copies / PRIOR_2_2 / ZERO_IMAGE
        with Engine(copies / MODEL_2_2, precision="fp32") as engine:
            image = text_to_image(engine)
        content = kept.read_bytes()
        assert len(content) < 1000
        stages = []
        with Engine(copies / MODEL_2_2, precision="fp32") as engine:
            engine.on_progress = lambda progress: stages.append(progress.stage)
            assert np.array_equal(text_to_image(engine), image)
        assert "prior" in stages
        assert "image_encoder" not in stages
        # Of another encoder it is made again.
        weights = copies / PRIOR_2_2 / "image_encoder/model.safetensors"
        data = bytearray(weights.read_bytes())
        data[-1] ^= 1
        weights.write_bytes(data)
        with Engine(copies / MODEL_2_2, precision="fp32") as engine:
            text_to_image(engine)
        assert kept.read_bytes() != content

    def test_stands_for_the_image_encoder(self, copies: Path) -> None:
        prior = copies / PRIOR_2_2
        with Engine(copies / MODEL_2_2, precision="fp32") as engine:
            expected = text_to_image(engine)
        # As downloads without it leave it.
        (prior / "image_encoder/model.safetensors").unlink()
        with Engine(copies / MODEL_2_2, precision="fp32") as engine:
            assert np.array_equal(text_to_image(engine), expected)
            with pytest.raises(
                kandinsky.NotFoundError, match=r"image_encoder is missing.*images to mix"
            ):
                engine.encode_images([scene()])
        assert run_program("info", prior).returncode == 0
        (prior / ZERO_IMAGE).unlink()
        with Engine(copies / MODEL_2_2, precision="fp32") as engine:
            with pytest.raises(kandinsky.NotFoundError, match=f"{ZERO_IMAGE}.*copy that file"):
                text_to_image(engine)
            # Here the prior gives both sides.
            text_to_image(engine, negative_prompts=["bad"], negative_image="prior")
        (prior / ZERO_IMAGE).write_bytes(b"x" * 100)
        with pytest.raises(kandinsky.CorruptFileError, match=ZERO_IMAGE):
            Engine(copies / MODEL_2_2, inpaint_dir="")

    def test_is_not_needed_without_guidance(self, copies: Path, tmp_path: Path) -> None:
        with Engine(copies / MODEL_2_2, precision="fp32") as engine:
            expected = text_to_image(engine, guidance_scale=1.0)
            from_image = image_to_image(engine, guidance_scale=1.0)
            image_embeds = engine.encode_prompts(
                [PROMPT], seeds=[1], with_negative=False, **PRIOR_STEPS
            )[0].tensor("image_embeds")
        prior = copies / PRIOR_2_2
        assert not (prior / ZERO_IMAGE).exists()
        (prior / "image_encoder/model.safetensors").unlink()
        with Engine(copies / MODEL_2_2, precision="fp32") as engine:
            assert np.array_equal(text_to_image(engine, guidance_scale=1.0), expected)
            assert np.array_equal(image_to_image(engine, guidance_scale=0.5), from_image)
            with pytest.raises(kandinsky.NotFoundError, match=ZERO_IMAGE):
                text_to_image(engine, guidance_scale=1.1)
            # Who asks for both sides gets both.
            with pytest.raises(kandinsky.NotFoundError, match=ZERO_IMAGE):
                engine.encode_prompts([PROMPT], seeds=[1], **PRIOR_STEPS)
            embeds, negative = engine.encode_prompts(
                [PROMPT], seeds=[1], with_negative=False, **PRIOR_STEPS
            )
            assert negative is None
            assert np.array_equal(embeds.tensor("image_embeds"), image_embeds)
        common = ("--model", copies / MODEL_2_2, "--precision", "fp32", "--quiet")
        few = ("--cfg-scale", "1", "--steps", "2", "--prior-steps", "2")
        made = run_program(
            "txt2img", *common, *few, "--prompt", "a", "--output", tmp_path / "a.png"
        )
        assert made.returncode == 0, made.stderr
        mixed = run_program("mix", *common, *few, "--text", "a", "--output", tmp_path / "b.png")
        assert mixed.returncode == 0, mixed.stderr
        jobs = tmp_path / "jobs.jsonl"
        line = {"guidance_scale": 1, "num_inference_steps": 2, "prior_num_inference_steps": 2}
        jobs.write_text("".join(json.dumps({"prompt": p, **line}) + "\n" for p in "ab"))
        batch = run_program("batch", jobs, *common, "--output", tmp_path / "made")
        assert batch.returncode == 0, batch.stderr
        assert not (prior / ZERO_IMAGE).exists()

    def test_is_kept_in_the_cache_where_the_folder_cannot_be_written(
        self, copies: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        (copies / PRIOR_2_2 / ZERO_IMAGE).mkdir()
        with Engine(copies / MODEL_2_2, precision="fp32") as engine:
            text_to_image(engine)
        kept = list((tmp_path / "cache/kandinsky").iterdir())
        assert [path.name.partition("-")[2] for path in kept] == [ZERO_IMAGE]


class TestFolders:
    @pytest.mark.parametrize(
        ("name", "role", "text"),
        [
            (MODEL_2_2, "model", "decoder\n"),
            (INPAINT_2_2, "inpaint", "decoder for inpainting"),
            (DEPTH_2_2, "hint", "decoder with depth control"),
            (PRIOR_2_2, "prior", "prior\n"),
        ],
    )
    def test_info_tells_them_apart(
        self, kandinsky_2_2: Path, name: str, role: str, text: str
    ) -> None:
        folder = kandinsky_2_2 / name
        assert kandinsky.recognize_folder(folder) == ("kandinsky-2-2", role)
        shown = run_program("info", folder).stdout
        assert "family       kandinsky-2-2\n" in shown
        assert f"role         {text}" in shown
        described = json.loads(run_program("info", folder, "--json").stdout)
        assert described["role"] == role
        assert all(component["checked"] for component in described["components"])

    def test_companions_are_found_by_class_then_name(self, copies: Path) -> None:
        shutil.copytree(copies / PRIOR_2_2, copies / "another-prior")
        shutil.copytree(copies / PRIOR_2_2, copies / "tiny-2-2-decoder-x")
        (copies / "broken").mkdir()
        (copies / "broken/model_index.json").write_text("{")
        with Engine(copies / MODEL_2_2) as engine:
            assert engine.info.prior_dir == str(copies / "tiny-2-2-decoder-x")
            assert engine.info.inpaint_dir == str(copies / INPAINT_2_2)
        with Engine(copies / DEPTH_2_2) as engine:
            assert engine.info.prior_dir == str(copies / PRIOR_2_2)

    def test_companions_in_a_hubs_cache(self, copies: Path, tmp_path: Path) -> None:
        def cached(folder: Path, name: str) -> Path:
            snapshot = tmp_path / "hub" / f"models--somebody--{name}" / "snapshots" / "1a2b"
            shutil.copytree(folder, snapshot)
            return snapshot

        names = {
            "kandinsky-2-2-decoder": copies / MODEL_2_2,
            "kandinsky-2-2-prior": copies / PRIOR_2_2,
            "kandinsky-2-2-decoder-inpaint": copies / INPAINT_2_2,
        }
        model, prior, inpaint = (cached(folder, name) for name, folder in names.items())
        # The half of a download whose name would fit better.
        half = cached(copies / PRIOR_2_2, "kandinsky-2-2-decoder-prior")
        shutil.rmtree(half / "prior")
        with Engine(model) as engine:
            assert engine.info.prior_dir == str(prior)
            assert engine.info.inpaint_dir == str(inpaint)
        other = make_models(tmp_path / "2-1")
        alone = tmp_path / "alone" / "kandinsky-2-1"
        shutil.copytree(other, alone)
        theirs = cached(other.with_name(PRIOR), "kandinsky-2-1-prior")
        with pytest.raises(kandinsky.NotFoundError, match="such as kandinsky-2-1-prior"):
            Engine(alone)
        with Engine(
            alone, companion_dirs=[str(tmp_path / "nowhere"), str(tmp_path / "hub")]
        ) as engine:
            assert engine.info.prior_dir == str(theirs)
            assert engine.info.inpaint_dir == ""
        shown = run_program("info", model, "--json").stdout
        assert json.loads(shown)["family"] == "kandinsky-2-2"

    def test_models_and_priors_of_two_families(self, kandinsky_2_2: Path, tmp_path: Path) -> None:
        other = make_models(tmp_path)
        with pytest.raises(
            kandinsky.IncompatibleError,
            match=f"{PRIOR} is not a Kandinsky 2.2 prior, which .*{MODEL_2_2} needs: .* has Kandin",
        ):
            Engine(kandinsky_2_2 / MODEL_2_2, prior_dir=tmp_path / PRIOR)
        with pytest.raises(
            kandinsky.IncompatibleError, match=f"{PRIOR_2_2} is not a Kandinsky 2.1 prior"
        ):
            Engine(other, prior_dir=kandinsky_2_2 / PRIOR_2_2)
        with pytest.raises(
            kandinsky.IncompatibleError,
            match=f"{INPAINT_2_2} is not a Kandinsky 2.1 inpainting model",
        ):
            Engine(other, inpaint_dir=kandinsky_2_2 / INPAINT_2_2)
        with pytest.raises(kandinsky.InvalidArgumentError, match="is a prior folder"):
            Engine(kandinsky_2_2 / PRIOR_2_2)
        shutil.copytree(kandinsky_2_2 / MODEL_2_2, tmp_path / "alone" / MODEL_2_2)
        with pytest.raises(kandinsky.NotFoundError, match="such as kandinsky-2-2-prior"):
            Engine(tmp_path / "alone" / MODEL_2_2)

    def test_a_network_of_the_other_family(self, copies: Path, tmp_path: Path) -> None:
        other = make_models(tmp_path)
        shutil.rmtree(copies / MODEL_2_2 / "unet")
        shutil.copytree(other / "unet", copies / MODEL_2_2 / "unet")
        with pytest.raises(
            kandinsky.UnsupportedError, match='"addition_embed_type" of its unet is that of another'
        ):
            Engine(copies / MODEL_2_2, inpaint_dir="")
        assert run_program("info", copies / MODEL_2_2).returncode == 0


def test_the_older_model_is_not_confused(kandinsky_2_2: Path, tmp_path: Path) -> None:
    """Its companions have fixed names, whatever lies beside it."""
    for folder in kandinsky_2_2.iterdir():
        (tmp_path / folder.name).symlink_to(folder)
    with Engine(make_models(tmp_path)) as engine:
        assert engine.info.prior_dir == str(tmp_path / PRIOR)
        assert engine.info.inpaint_dir == ""
        assert kandinsky.recognize_folder(tmp_path / MODEL) == ("kandinsky-2-1", "model")
