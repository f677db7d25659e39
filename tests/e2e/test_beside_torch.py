"""The engine in a process with others: torch is as it was, and each of them works."""

from pathlib import Path

import pytest
from support.torch_probe import check_torch, check_unharmed, run_probe

ROOT = Path(__file__).parents[2]

IN_A_HOST = f"""
sys.path.insert(0, {str(ROOT / "tests/support/host_stub")!r})
import importlib
from modules import paths_internal, processing, scripts
paths_internal.models_path = f"{{FOLDER}}/models"
script, _ = scripts.load_script(Path({str(ROOT / "scripts/kandinsky.py")!r}))
# The engine under test, not one that install.py built for this checkout.
importlib.import_module("kandinsky_ext.engine").engine_folder = lambda: Path(FOLDER, "nowhere")
look("script loaded")
p = processing.StableDiffusionProcessingTxt2Img(
    prompt="a red circle", sampler_name="Euler a", width=128, height=128, steps=2, seed=1)
image = processing.generate(script, p).images[0]
report["colours"] = len(image.getcolors(128 * 128))
look("generated")
"""


def test_torch_is_as_it_was_after_an_image_in_a_host(tmp_path: Path) -> None:
    """The extension in the stand-in for a host's modules, with the engine itself behind it."""
    report = run_probe(tmp_path, IN_A_HOST)
    assert report["colours"] > 100
    assert any(Path(path).name.startswith("libkandinsky") for path in report["generated"])
    check_torch(report)


NEIGHBOURS = """
import cv2, numpy, sentencepiece
from google.protobuf import descriptor_pb2
nines = numpy.full((8, 8, 3), 9, numpy.uint8)
report["cv2"] = cv2.imdecode(cv2.imencode(".png", nines)[1], 1).mean()
tokenizer = f"{MODEL}/tokenizer/sentencepiece.bpe.model"
model = sentencepiece.SentencePieceProcessor(model_file=tokenizer)
report["pieces"] = len(model.encode("a red circle"))
message = descriptor_pb2.FileDescriptorProto(name="x")
assert descriptor_pb2.FileDescriptorProto.FromString(message.SerializeToString()).name == "x"
"""


@pytest.mark.parametrize("order", ["neighbours first", "kandinsky first"])
def test_beside_the_libraries_of_a_host(tmp_path: Path, order: str) -> None:
    """cv2, protobuf and another SentencePiece, in both orders; each works, and torch too."""
    steps = [NEIGHBOURS, "kandinsky()"]
    report = run_probe(tmp_path, *(steps if order == "neighbours first" else steps[::-1]))
    check_unharmed(report)
    assert report["cv2"] == 9
    assert report["pieces"] > 2
