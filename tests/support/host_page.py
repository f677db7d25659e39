"""A page with our script in it, as the host draws one, on the stand-in for the host's modules.

    host_page.py PORT MODELS_FOLDER [--without-engine]

"Generate" calls the script as the host does and shows the arguments that arrived, the image and
the remarks.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUPPORT = ROOT / "tests" / "support"


def main() -> None:
    port, models = int(sys.argv[1]), sys.argv[2]
    sys.path.insert(0, str(SUPPORT / "host_stub"))
    if "--without-engine" not in sys.argv:
        sys.path.insert(0, str(SUPPORT / "fake_engine"))

    import gradio as gr  # noqa: PLC0415  after the path
    from modules import infotext_utils, paths_internal, processing, scripts  # noqa: PLC0415

    paths_internal.models_path = models
    script, _ = scripts.load_script(ROOT / "scripts" / "kandinsky.py")
    nowhere = Path(models) / "nowhere"
    os.environ["HF_HUB_CACHE"] = str(nowhere)
    importlib.import_module("kandinsky_ext.engine").engine_folder = lambda: nowhere
    importlib.import_module("kandinsky_ext.host.tools").DEMO_FOLDER = nowhere

    turns = itertools.count()

    def as_text(values):
        """An image as its size."""
        return json.dumps([getattr(value, "size", value) for value in values])

    def generate(prompt, *values):
        p = processing.StableDiffusionProcessingTxt2Img(
            prompt=prompt, sampler_name="Euler a", width=192, height=128
        )
        try:
            processed = processing.generate(script, p, values)
        except Exception as error:
            return None, as_text(values), f"{type(error).__name__}: {error}", "", taken()
        return (
            processed.images[0],
            as_text(values),
            processed.comments,
            processed.infotexts[0],
            taken(),
        )

    def taken():
        """What hosts write at the end of each run."""
        return f"<p>Time taken: {next(turns)}</p>"

    def paste(text):
        _, values = infotext_utils.paste(script.infotext_fields, text)
        return [as_update(value) for value in values]

    def as_update(value):
        if value is None or isinstance(value, dict):
            return value or gr.update()
        return gr.update(value=value)

    with gr.Blocks(title="host page") as page:
        prompt = gr.Textbox(label="Prompt", elem_id="prompt")
        button = gr.Button("Generate", elem_id="generate")
        paste_button = gr.Button("Paste", elem_id="paste")
        with gr.Group():
            inputs = script.ui(False)
        # The host's own, which the script's buttons may set.
        gr.Slider(64, 2048, value=512, step=8, label="Width", elem_id="txt2img_width")
        gr.Slider(64, 2048, value=512, step=8, label="Height", elem_id="txt2img_height")
        gr.Slider(1, 30, value=7, step=0.5, label="CFG Scale", elem_id="txt2img_cfg_scale")
        image = gr.Image(type="pil", elem_id="image")
        arrived = gr.Textbox(label="Arrived", elem_id="arrived")
        comments = gr.Textbox(label="Comments", elem_id="comments")
        infotext = gr.Textbox(label="Parameters", elem_id="infotext")
        log = gr.HTML(elem_id="html_log_txt2img")
        button.click(generate, [prompt, *inputs], [image, arrived, comments, infotext, log])
        pasted = [component for component, _ in script.infotext_fields]
        paste_button.click(paste, [infotext], pasted)
    page.launch(
        server_name="127.0.0.1",
        server_port=port,
        quiet=True,
        show_api=False,
        prevent_thread_lock=True,
    )
    print("ready", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
