"""The maker of tiny models: same numbers everywhere, and files as the field stores them."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_model
from tiny_model import Layout

DTYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8"}


def read_safetensors(path: Path) -> dict[str, tuple[str, np.ndarray]]:
    """Dtype name and values of each tensor; bf16 comes as its raw 16 bits."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    assert header.pop("__metadata__") == {"format": "pt"}
    assert length % 8 == 0
    tensors = {}
    end = 0
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        assert first == end
        end = last
        values = np.frombuffer(data[8 + length + first : 8 + length + last], DTYPES[entry["dtype"]])
        tensors[name] = (entry["dtype"], values.reshape(entry["shape"]))
    assert 8 + length + end == len(data)
    return tensors


def test_a_tensor_depends_on_its_name_alone() -> None:
    scope = "tiny-2-1/unet"
    alone = tiny_model.make_tensor(scope, "conv_in.weight", (16, 4, 3, 3))
    tiny_model.make_tensor(scope, "conv_in.bias", (16,))
    again = tiny_model.make_tensor(scope, "conv_in.weight", (16, 4, 3, 3))
    other = tiny_model.make_tensor(scope, "conv_out.weight", (16, 4, 3, 3))
    np.testing.assert_array_equal(alone, again)
    assert not np.array_equal(alone, other)


def test_the_random_numbers_are_those_of_splitmix64() -> None:
    # First outputs for seed 1234567, from the generator's public description.
    assert tiny_model.random_bits(1234567, 3).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


def test_draws_have_mean_0_and_deviation_1() -> None:
    values = tiny_model.bell(7, 100_000)
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.02


def test_the_written_models_are_the_recorded_ones(tmp_path: Path) -> None:
    assert tiny_model.main([str(tmp_path)]) == 0
    for model in tiny_model.MODELS:
        index = json.loads((tmp_path / model / "model_index.json").read_text(encoding="utf-8"))
        for component in index:
            assert component.startswith("_") or (tmp_path / model / component).is_dir()


def test_other_weights_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tiny_model, "SEED", "another")
    assert tiny_model.main([str(tmp_path), "--models", "tiny-2-1-prior"]) == 1
    assert "tiny-2-1-prior/prior" in capsys.readouterr().err


def test_half_precision_rounds_to_the_nearest(tmp_path: Path) -> None:
    tiny_model.write_model(tmp_path / "fp32", "tiny-2-1-prior")
    tiny_model.write_model(tmp_path / "fp16", "tiny-2-1-prior", Layout(dtype="fp16"))
    tiny_model.write_model(tmp_path / "bf16", "tiny-2-1-prior", Layout(dtype="bf16"))
    file = "tiny-2-1-prior/prior/diffusion_pytorch_model.safetensors"
    exact = read_safetensors(tmp_path / "fp32" / file)
    half = read_safetensors(tmp_path / "fp16" / file)
    brain = read_safetensors(tmp_path / "bf16" / file)
    for name, (dtype, values) in exact.items():
        assert dtype == "F32"
        assert half[name][0] == "F16"
        np.testing.assert_array_equal(half[name][1], values.astype(np.float16))
        assert brain[name][0] == "BF16"
        widened = (brain[name][1].astype(np.uint32) << 16).view(np.float32)
        # Half a unit in the last of 8 bits, relative to the number's own power of two.
        power = np.exp2(np.floor(np.log2(np.maximum(np.abs(values), 1e-30))))
        assert np.all(np.abs(widened - values) <= power / 256)


def test_bf16_ties_go_to_the_even_neighbour() -> None:
    ties = np.array([0x3F808000, 0x3F818000], dtype="<u4").view("<f4")
    kind, blob = tiny_model.stored_bytes(ties, "bf16")
    assert kind == "BF16"
    assert np.frombuffer(blob, "<u2").tolist() == [0x3F80, 0x3F82]


def test_shards_hold_all_tensors_once_under_an_index(tmp_path: Path) -> None:
    tiny_model.write_model(tmp_path, "tiny-2-1", Layout(shards=3, variant="fp16"))
    folder = tmp_path / "tiny-2-1/unet"
    path = folder / "diffusion_pytorch_model.safetensors.index.fp16.json"
    weight_map = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
    found = {}
    for file in sorted(folder.glob("*.safetensors")):
        for name in read_safetensors(file):
            assert name not in found
            found[name] = file.name
    assert found == weight_map
    assert set(found) == {name for name, _ in tiny_model.tensor_list("tiny-2-1", "unet")}
    assert (tmp_path / "tiny-2-1/text_encoder/model.safetensors.index.fp16.json").is_file()


def test_old_exports_differ_in_names_only(tmp_path: Path) -> None:
    layout = Layout(legacy_attention=True, position_ids=True, pooler=False)
    tiny_model.write_model(tmp_path / "new", "tiny-2-1")
    tiny_model.write_model(tmp_path / "old", "tiny-2-1", layout)
    movq = "tiny-2-1/movq/diffusion_pytorch_model.safetensors"
    new = read_safetensors(tmp_path / "new" / movq)
    old = read_safetensors(tmp_path / "old" / movq)
    prefix = "encoder.mid_block.attentions.0"
    renamed = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for now, then in renamed.items():
        assert f"{prefix}.{now}.weight" not in old
        np.testing.assert_array_equal(
            old[f"{prefix}.{then}.weight"][1], new[f"{prefix}.{now}.weight"][1]
        )
    text_encoder = read_safetensors(tmp_path / "old/tiny-2-1/text_encoder/model.safetensors")
    assert text_encoder["transformer.embeddings.position_ids"][0] == "I64"
    assert not any(".pooler." in name for name in text_encoder)


def test_the_clip_vocabulary_numbers_bytes_merges_and_specials(tmp_path: Path) -> None:
    tiny_model.write_model(tmp_path, "tiny-2-1-prior")
    folder = tmp_path / "tiny-2-1-prior/tokenizer"
    vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    assert sorted(vocabulary.values()) == list(range(530))
    assert vocabulary["!"] == 0
    assert vocabulary["!</w>"] == 256
    assert vocabulary["<|startoftext|>"] == 528
    assert vocabulary["<|endoftext|>"] == 529
    merges = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert [vocabulary[merge.replace(" ", "")] for merge in merges] == list(range(512, 528))


@pytest.mark.parametrize("layout", [Layout(shards=0), Layout(dtype="int8")])
def test_impossible_layouts_are_refused(tmp_path: Path, layout: Layout) -> None:
    with pytest.raises(tiny_model.TinyModelError):
        tiny_model.write_model(tmp_path, "tiny-2-1-prior", layout)
