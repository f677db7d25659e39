"""The command line's flags of the engine's options."""

import kandinsky_engine as kandinsky

# Those with names of their own.
NAMES = {
    "model_dir": "--model",
    "prior_dir": "--prior",
    "inpaint_dir": "--inpaint",
    "parse_weights": "--plain-prompt",
    "prior_num_inference_steps": "--prior-steps",
    "prior_guidance_scale": "--prior-cfg-scale",
    "num_inference_steps": "--steps",
    "guidance_scale": "--cfg-scale",
    "guidance_rescale": "--cfg-rescale",
    "seed_resize_width": "--seed-resize",
    "seed_resize_height": "--seed-resize",
    "erode_mask": "--no-erosion",
}


def flag(option: kandinsky.Option) -> str:
    """A list of texts, paths, seeds or images is a flag for each: --prompt of prompts."""
    is_list = option.type in ("texts", "paths", "seeds", "images") and not option.words
    name = option.name[:-1] if is_list else option.name
    usual = ("--no-" if option.default == "true" else "--") + name.replace("_", "-")
    return NAMES.get(option.name, usual)
