"""The loop around a run, as the host has it: what is called, in which order, and what an error
leaves behind.
"""

import contextlib
import re
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from modules import (
    devices,
    images,
    infotext_utils,
    prompt_parser,
    rng,
    sd_hijack,
    sd_models,
    sd_samplers,
    sd_vae,
    shared,
)
from modules.shared import opts, state


class DecodedSamples(list):
    already_decoded = True


class StableDiffusionProcessing:
    def __init__(self, **values):
        self.prompt = ""
        self.negative_prompt = ""
        self.styles = []
        self.seed = 1
        self.subseed = -1
        self.subseed_strength = 0
        self.seed_resize_from_h = self.seed_resize_from_w = 0
        self.sampler_name = "DDIM"
        self.scheduler = "Automatic"
        self.batch_size = self.n_iter = 1
        self.steps = 4
        self.cfg_scale = 4.0
        self.width = self.height = 128
        self.tiling = None
        self.refiner_checkpoint = None
        self.do_not_reload_embeddings = self.disable_extra_networks = False
        self.do_not_save_samples = self.do_not_save_grid = False
        self.override_settings = {}
        self.override_settings_restore_afterwards = True
        self.extra_generation_params = {}
        self.extra_network_data = None
        self.outpath_samples = self.outpath_grids = None
        self.enable_hr = False
        self.scripts = None
        self.comments = {}
        self.params_txt = None
        for name, value in values.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    @property
    def sd_model(self):
        return shared.sd_model

    def comment(self, text):
        self.comments[text] = 1

    def call(self, name, *args):
        if self.scripts is not None:
            self.scripts.call(name, self, *args)

    def setup_prompts(self):
        count = self.batch_size * self.n_iter
        apply = shared.prompt_styles.apply
        given = self.prompt if isinstance(self.prompt, list) else [self.prompt] * count
        self.all_prompts = [apply(text, self.styles, False) for text in given]
        given = self.negative_prompt
        given = given if isinstance(given, list) else [given] * len(self.all_prompts)
        self.all_negative_prompts = [apply(text, self.styles, True) for text in given]

    def parse_extra_network_prompts(self):
        tag = re.compile(r"<\w+:[^<>]*>")
        self.extra_network_data = {"lora": 1} if any(map(tag.search, self.prompts)) else {}
        self.prompts = [tag.sub("", text) for text in self.prompts]

    def setup_conds(self):
        self.uc = prompt_parser.get_learned_conditioning(
            shared.sd_model, self.negative_prompts, self.steps
        )
        self.c = prompt_parser.get_multicond_learned_conditioning(
            shared.sd_model, self.prompts, self.steps
        )

    def sample(self):
        sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        x = self.rng.next()
        self.call("process_before_every_sampling")
        return sampler.sample(self, x, self.c, self.uc, image_conditioning=None)

    def close(self):
        self.c = self.uc = None


class Processed:
    def __init__(self, p, images_list, infotexts, index_of_first_image):
        self.images = images_list
        self.infotexts = infotexts
        self.comments = "".join(f"{comment}\n" for comment in p.comments)
        self.index_of_first_image = index_of_first_image
        self.all_seeds = p.all_seeds


def create_infotext(p, index):
    values = {
        "Steps": p.steps,
        "Sampler": p.sampler_name,
        "Schedule type": p.scheduler,
        "CFG scale": p.cfg_scale,
        "Seed": p.all_seeds[index],
        "Size": f"{p.width}x{p.height}",
        "Model": shared.sd_model.sd_checkpoint_info.name_for_extra,
        "VAE": sd_vae.get_loaded_vae_name(),
        "Variation seed strength": p.subseed_strength or None,
        "Clip skip": opts.CLIP_stop_at_last_layers if opts.CLIP_stop_at_last_layers > 1 else None,
        "RNG": opts.randn_source if opts.randn_source != "GPU" else None,
        **p.extra_generation_params,
    }
    pairs = ", ".join(f"{k}: {infotext_utils.quote(v)}" for k, v in values.items() if v is not None)
    negative = p.all_negative_prompts[index]
    lines = [p.all_prompts[index], f"Negative prompt: {negative}" if negative else None, pairs]
    return "\n".join(line for line in lines if line is not None).strip()


def decode_first_stage(model, latent):
    if opts.sd_vae_decode_method != "Full":
        raise AssertionError(f"latents were decoded with {opts.sd_vae_decode_method}")
    return model.decode_first_stage(latent.to(devices.dtype_vae).to(model.first_stage_model.dtype))


def process_images(p):
    p.call("before_process")
    stored = {key: opts.data[key] for key in p.override_settings if key in opts.data}
    try:
        if p.override_settings.get("sd_model_checkpoint") not in sd_models.checkpoint_aliases:
            p.override_settings.pop("sd_model_checkpoint", None)
            sd_models.reload_model_weights()
        for key, value in p.override_settings.items():
            opts.set(key, value, is_api=True, run_callbacks=False)
        sd_models.apply_token_merging(p.sd_model, 0)
        sd_samplers.fix_p_invalid_sampler_and_scheduler(p)
        return _process_images_inner(p)
    finally:
        sd_models.apply_token_merging(p.sd_model, 0)
        if p.override_settings_restore_afterwards:
            for key, value in stored.items():
                setattr(opts, key, value)


def _process_images_inner(p):
    if hasattr(shared.sd_model, "fix_dimensions"):
        p.width, p.height = shared.sd_model.fix_dimensions(p.width, p.height)
    shared.sd_model.sd_checkpoint_info.name_for_extra  # noqa: B018  fails with no model
    sd_hijack.model_hijack.apply_circular(bool(p.tiling))
    p.setup_prompts()
    step = 1 if p.subseed_strength == 0 else 0
    count = len(p.all_prompts)
    p.all_seeds = [p.seed + i * step for i in range(count)]
    p.all_subseeds = [p.subseed + i for i in range(count)]
    if not p.do_not_reload_embeddings:
        sd_hijack.model_hijack.embedding_db.load_textual_inversion_embeddings()
    p.call("process")
    outputs, infotexts = [], []
    with torch.no_grad(), p.sd_model.ema_scope():
        if state.job_count == -1:
            state.job_count = p.n_iter
        for n in range(p.n_iter):
            p.iteration = n
            state.skipped = False
            if state.interrupted or state.stopping_generation:
                break
            sd_models.reload_model_weights()
            batch = slice(n * p.batch_size, (n + 1) * p.batch_size)
            p.prompts = p.all_prompts[batch]
            p.negative_prompts = p.all_negative_prompts[batch]
            p.seeds, p.subseeds = p.all_seeds[batch], p.all_subseeds[batch]
            p.rng = rng.ImageRNG(
                (shared.sd_model.latent_channels, p.height // 8, p.width // 8),
                p.seeds,
                subseeds=p.subseeds,
                subseed_strength=p.subseed_strength,
            )
            p.call("before_process_batch")
            p.parse_extra_network_prompts()
            assert p.disable_extra_networks
            p.call("process_batch")
            p.setup_conds()
            if n == 0:
                p.params_txt = create_infotext(p, 0)
            samples = p.sample()
            p.call("post_sample")
            if getattr(samples, "already_decoded", False):
                decoded = samples
            else:
                devices.test_for_nans(samples, "unet")
                decoded = [decode_first_stage(shared.sd_model, z[None])[0] for z in samples]
            x = torch.stack(list(decoded)).float()
            x = torch.clamp((x + 1.0) / 2.0, min=0.0, max=1.0)
            state.nextjob()
            p.call("postprocess_batch")
            stopped = state.interrupted or state.skipped
            save = not p.do_not_save_samples and (not stopped or opts.save_incomplete_images)
            for i, sample in enumerate(x):
                p.batch_index = i
                array = (255.0 * np.moveaxis(sample.cpu().numpy(), 0, 2)).astype(np.uint8)
                image = Image.fromarray(array)
                p.call("postprocess_image", image)
                text = create_infotext(p, n * p.batch_size + i)
                if save and p.outpath_samples:
                    images.save_image(image, p.outpath_samples, "", p.seeds[i], text)
                image.info["parameters"] = text
                outputs.append(image)
                infotexts.append(text)
        index_of_first_image = 0
        if len(outputs) > 1 and not p.do_not_save_grid:
            grid = images.image_grid(outputs, p.batch_size)
            text = create_infotext(p, 0)
            if opts.return_grid:
                outputs.insert(0, grid)
                infotexts.insert(0, text)
                index_of_first_image = 1
            if opts.grid_save and p.outpath_grids:
                images.save_image(grid, p.outpath_grids, "grid", p.all_seeds[0], text)
    processed = Processed(p, outputs, infotexts, index_of_first_image)
    p.call("postprocess", processed)
    return processed


def txt2img(script, p, args=()):
    """What pressing Generate does with the script chosen."""
    state.begin("txt2img")
    try:
        with contextlib.closing(p):
            return script.run(p, *args)
    finally:
        state.end()


def saved(folder):
    """Pictures in a folder, in order of saving."""
    return sorted(Path(folder).glob("*.png"))
