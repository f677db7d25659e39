"""Measures OpenVINO's CPU plugin for bench.py: the UNet of diffusers, converted as its users do.

Options: those of diffusers_worker.py, and converted (the folder of the converted UNet), precision
("bf16" or "fp32"). `convert` writes the folder: the UNet is traced in fp32 and saved with its
weights in fp16, which is OpenVINO's default. The folder also keeps what diffusers predicts in fp32
for one input, which the compiled UNet is compared with.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers_worker
import numpy as np
import openvino as ov
import torch
from agreement import check_prediction
from diffusers import UNet2DConditionModel
from protocol import Answer, serve

OPTIONS = diffusers_worker.OPTIONS
CONVERTED = Path(OPTIONS["converted"])
UNET, CHECK, PREDICTION = "unet.xml", "check.npz", "prediction"
HINTS = {"bf16": "bf16", "fp32": "f32"}  # OpenVINO's names
TRACED_SIDE = 16  # in latents; the graph is for any size


class FlatUNet(torch.nn.Module):
    """The UNet with tensors only as inputs and output, as a graph has them."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet = unet

    def forward(
        self,
        sample: torch.Tensor,
        timestep: torch.Tensor,
        image_embeds: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        text_embeds: torch.Tensor | None = None,
    ) -> torch.Tensor:
        added = {"image_embeds": image_embeds}
        if text_embeds is not None:
            added["text_embeds"] = text_embeds
        prediction = self.unet(sample, timestep, encoder_hidden_states, added_cond_kwargs=added)
        return prediction.sample


def flat(sample: torch.Tensor, timestep: Any, conditions: dict[str, Any]) -> dict[str, Any]:
    """The inputs by name. conditions: of a family, as diffusers' UNet takes them."""
    named = {"encoder_hidden_states": conditions["encoder_hidden_states"]}
    named |= conditions["added_cond_kwargs"]
    present = {name: value for name, value in named.items() if value is not None}
    return {"sample": sample, "timestep": torch.as_tensor(timestep), **present}


class CompiledUNet:
    """Stands in for diffusers' UNet."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self._shapes: dict[str, list[int]] = {}
        self._compiled: Any = None

    def compile(self, inputs: dict[str, torch.Tensor]) -> bool:
        """For the shapes of these inputs. False if that was done before."""
        shapes = {name: list(value.shape) for name, value in inputs.items()}
        if shapes == self._shapes:
            return False
        self._compiled, self._shapes = None, {}
        core = ov.Core()
        model = core.read_model(CONVERTED / UNET)
        # For one shape. OpenVINO 2026.4.1 crashes at that in fp32: there it is compiled for any.
        if OPTIONS["precision"] == "bf16":
            model.reshape(shapes)
        how = {
            "INFERENCE_PRECISION_HINT": HINTS[OPTIONS["precision"]],
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "ENABLE_HYPER_THREADING": True,  # else threads are as many as cores with both
        }
        self._compiled = core.compile_model(model, "CPU", how)
        self._shapes = shapes
        return True

    def threads(self) -> int:
        return int(self._compiled.get_property("INFERENCE_NUM_THREADS"))

    def predict(self, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        arrays = {name: value.numpy() for name, value in inputs.items()}
        return torch.from_numpy(self._compiled(arrays)[0])

    def __call__(
        self, sample: torch.Tensor, timestep: torch.Tensor, **conditions: Any
    ) -> SimpleNamespace:
        return SimpleNamespace(sample=self.predict(flat(sample, timestep, conditions)))


class OpenVinoWorker(diffusers_worker.DiffusersWorker):
    def versions(self) -> Answer:
        return {**super().versions(), "openvino": ov.__version__.partition("-")[0]}

    def _inputs(self, config: Any, side: int, batch: int) -> dict[str, torch.Tensor]:
        sample = torch.randn(2 * batch, 4, side, side)
        return flat(sample, torch.tensor(500), self._family.conditions(config, 2 * batch))

    def convert(self, size: int) -> Answer:
        """Writes the folder. size: of the image whose prediction is kept for the check."""
        shutil.rmtree(CONVERTED, ignore_errors=True)
        CONVERTED.mkdir(parents=True)
        torch.manual_seed(1)
        unet = UNet2DConditionModel.from_pretrained(
            diffusers_worker.MODEL / "unet", torch_dtype=torch.float32
        )
        network = FlatUNet(unet).eval()
        converted = ov.convert_model(
            network, example_input=self._inputs(unet.config, TRACED_SIDE, 1)
        )
        ov.save_model(converted, CONVERTED / UNET)
        del converted
        inputs = self._inputs(unet.config, size // 8, 1)
        arrays = {name: value.numpy() for name, value in inputs.items()}
        arrays[PREDICTION] = network(**inputs).numpy()
        np.savez(CONVERTED / CHECK, **arrays)
        return {}

    def _unet(self) -> CompiledUNet:
        config = UNet2DConditionModel.load_config(diffusers_worker.MODEL / "unet")
        return CompiledUNet(SimpleNamespace(**config))

    def _check(self, network: CompiledUNet) -> float:
        with np.load(CONVERTED / CHECK) as kept:
            inputs = {name: torch.from_numpy(value) for name, value in kept.items()}
        expected = inputs.pop(PREDICTION)
        found = network.predict(inputs)
        return check_prediction(found.numpy(), expected.numpy(), OPTIONS["precision"])

    def unet(self, size: int, batch: int, steps: int) -> Answer:
        """Guided steps. Compiling and, after it, the check are not timed."""
        network = self._loaded["unet"]
        if network.compile(self._inputs(network.config, size // 8, batch)):
            self._difference = self._check(network)
        answer = super().unet(size, batch, steps)
        return {**answer, "threads": network.threads(), "difference": self._difference}


def main() -> None:
    worker = OpenVinoWorker()
    names = ("versions", "convert", "load", "unload", "unet")
    with torch.no_grad():
        serve({name: getattr(worker, name) for name in names})


if __name__ == "__main__":
    main()
