"""Stands for other extensions: one that improves each finished image by a run of its own, and one
whose arguments come behind ours.
"""

import copy
from typing import Any

import gradio as gr
from modules import processing, scripts


class ProbeDetailer(scripts.Script):
    """Its argument: fields of the run inside the run; nothing for none."""

    def title(self) -> str:
        return "Probe detailer"

    def show(self, is_img2img: bool) -> Any:
        return scripts.AlwaysVisible

    def ui(self, is_img2img: bool) -> list[Any]:
        return [gr.JSON(value=None, visible=False, label="Fields of the inner run")]

    def postprocess_image(self, p: Any, pp: Any, fields: Any, *_: Any) -> None:
        if not fields or getattr(p, "is_inner", False):
            return
        inner = processing.StableDiffusionProcessingImg2Img(
            init_images=[pp.image],
            outpath_samples=p.outpath_samples,
            outpath_grids=p.outpath_grids,
            sampler_name=p.sampler_name,
            scheduler=getattr(p, "scheduler", None),
            steps=p.steps,
            cfg_scale=p.cfg_scale,
            width=p.width,
            height=p.height,
            do_not_save_samples=True,
            do_not_save_grid=True,
            **fields,
        )
        inner.is_inner = True
        # As detailers do: the page's scripts without those that are always on. One host looks for
        # one of its own there.
        inner.scripts = copy.copy(p.scripts)
        inner.scripts.alwayson_scripts, inner.scripts.callback_map = [], {}
        inner.script_args = []
        pp.image = processing.process_images(inner).images[0]
        inner.close()


class ProbeFollower(scripts.Script):
    """Never chosen."""

    def title(self) -> str:
        return "Probe follower"

    def show(self, is_img2img: bool) -> Any:
        return True

    def ui(self, is_img2img: bool) -> list[Any]:
        return [gr.JSON(value=None, visible=False, label=f"Nothing {i}") for i in range(30)]
