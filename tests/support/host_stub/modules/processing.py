"""The loop around a run, as the host has it: what is called, in which order, and what an error
leaves behind.
"""

import contextlib
from pathlib import Path

import torch
from PIL import Image

from modules import (
    devices,
    extra_networks,
    images,
    infotext_utils,
    loop,
    sd_hijack,
    sd_models,
    sd_samplers,
    sd_samplers_common,
    sd_vae,
    shared,
)
from modules.processing_types import (  # noqa: F401  the host has them here
    DecodedSamples,
    StableDiffusionProcessing,
    StableDiffusionProcessingImg2Img,
    StableDiffusionProcessingTxt2Img,
    decode_latent_batch,
)
from modules.shared import opts, state


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
        "Schedule type": getattr(p, "scheduler", None),
        "CFG scale": p.cfg_scale,
        "Seed": p.all_seeds[index],
        "Size": f"{p.width}x{p.height}",
        "Model": shared.sd_model.sd_checkpoint_info.name_for_extra,
        "VAE": sd_vae.get_loaded_vae_name(),
        "Variation seed": p.all_subseeds[index] if p.subseed_strength else None,
        "Variation seed strength": p.subseed_strength or None,
        "Seed resize from": f"{p.seed_resize_from_w}x{p.seed_resize_from_h}"
        if p.seed_resize_from_w
        else None,
        "ENSD": opts.eta_noise_seed_delta or None,
        "Token merging ratio": opts.token_merging_ratio or None,
        "Token merging ratio hr": (p.enable_hr and opts.token_merging_ratio_hr) or None,
        "NGMS": p.s_min_uncond or None,
        "Tiling": p.tiling or None,
        "Clip skip": opts.CLIP_stop_at_last_layers if opts.CLIP_stop_at_last_layers > 1 else None,
        "RNG": opts.randn_source if opts.randn_source != "GPU" else None,
        **p.extra_generation_params,
    }
    pairs = ", ".join(
        k if k == v else f"{k}: {infotext_utils.quote(v)}"
        for k, v in values.items()
        if v is not None
    )
    negative = p.all_negative_prompts[index]
    lines = [p.all_prompts[index], f"Negative prompt: {negative}" if negative else None, pairs]
    return "\n".join(line for line in lines if line is not None).strip()


def apply_overlay(image, paste_loc, overlay):
    """The generated image, shrunk to where it was cut out, below what was not masked."""
    if paste_loc is not None:
        x, y, width, height = paste_loc
        whole = Image.new("RGBA", overlay.size)
        whole.paste(images.resize_image(1, image, width, height), (x, y))
        image = whole
    image = image.convert("RGBA")
    image.alpha_composite(overlay)
    return image.convert("RGB")


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
        return process_images_inner(p)
    finally:
        sd_models.apply_token_merging(p.sd_model, 0)
        if p.override_settings_restore_afterwards:
            for key, value in stored.items():
                setattr(opts, key, value)


def process_images_inner(p):
    if hasattr(shared.sd_model, "fix_dimensions"):
        p.width, p.height = shared.sd_model.fix_dimensions(p.width, p.height)
    shared.sd_model.sd_checkpoint_info.name_for_extra  # noqa: B018  fails with no model
    if p.tiling is None:
        p.tiling = opts.tiling
    loop.kind.options_are_set(p)
    p.fill_fields_from_opts()
    p.setup_prompts()
    step = 1 if p.subseed_strength == 0 else 0
    count = len(p.all_prompts)
    p.all_seeds = [p.seed + i * step for i in range(count)]
    p.all_subseeds = [p.subseed + i for i in range(count)]
    if not p.do_not_reload_embeddings:
        sd_hijack.model_hijack.embedding_db.load_textual_inversion_embeddings()
    p.call("process")
    p.init()
    outputs, infotexts = [], []
    with torch.no_grad(), loop.kind.around(p):
        if state.job_count == -1:
            state.job_count = p.n_iter
        for n in range(p.n_iter):
            p.iteration = n
            state.skipped = False
            if state.interrupted or state.stopping_generation:
                break
            sd_models.reload_model_weights()
            loop.kind.before_batch(p)
            batch = slice(n * p.batch_size, (n + 1) * p.batch_size)
            p.prompts = p.all_prompts[batch]
            p.negative_prompts = p.all_negative_prompts[batch]
            p.seeds, p.subseeds = p.all_seeds[batch], p.all_subseeds[batch]
            channels = loop.kind.latent_channels(shared.sd_model)
            p.make_rng((channels, p.height // 8, p.width // 8))
            p.call("before_process_batch")
            p.parse_extra_network_prompts()
            if not p.disable_extra_networks:
                extra_networks.activate(p, p.extra_network_data)
            p.call("process_batch")
            p.setup_conds()
            if n == 0:
                p.params_txt = create_infotext(p, 0)
            loop.kind.before_sampling(p)
            samples = p.sample()
            p.call("post_sample")
            if getattr(samples, "already_decoded", False):
                decoded = samples
            else:
                devices.test_for_nans(samples, "unet")
                decoded = decode_latent_batch(shared.sd_model, samples)
            x = torch.stack(list(decoded)).float()
            x = torch.clamp((x + 1.0) / 2.0, min=0.0, max=1.0)
            state.nextjob()
            p.call("postprocess_batch")
            stopped = state.interrupted or state.skipped
            save = not p.do_not_save_samples and (not stopped or opts.save_incomplete_images)
            for i, sample in enumerate(x):
                p.batch_index = i
                image = sd_samplers_common.to_image(sample)
                p.call("postprocess_image", image)
                if p.overlay_images:
                    image = apply_overlay(image, p.paste_to, p.overlay_images[i])
                text = create_infotext(p, n * p.batch_size + i)
                if save and p.outpath_samples:
                    images.save_image(image, p.outpath_samples, "", p.seeds[i], info=text)
                image.info["parameters"] = text
                outputs.append(image)
                infotexts.append(text)
                if opts.return_mask and p.mask_for_overlay is not None:
                    outputs.append(p.mask_for_overlay.convert("RGB"))
        index_of_first_image = 0
        if len(outputs) > 1 and not p.do_not_save_grid:
            grid = images.image_grid(outputs, p.batch_size)
            text = create_infotext(p, 0)
            if opts.return_grid:
                outputs.insert(0, grid)
                infotexts.insert(0, text)
                index_of_first_image = 1
            if opts.grid_save and p.outpath_grids:
                images.save_image(grid, p.outpath_grids, "grid", p.all_seeds[0], info=text)
    if not p.disable_extra_networks and p.extra_network_data:
        extra_networks.deactivate(p, p.extra_network_data)
    processed = Processed(p, outputs, infotexts, index_of_first_image)
    p.call("postprocess", processed)
    return processed


def generate(script, p, args=()):
    """What pressing Generate does with this script chosen, or with none."""
    state.begin("img2img" if isinstance(p, StableDiffusionProcessingImg2Img) else "txt2img")
    try:
        p.call("setup")
        with contextlib.closing(p):
            return process_images(p) if script is None else script.run(p, *args)
    finally:
        state.end()


def saved(folder):
    """Images in a folder, in order of saving."""
    return sorted(Path(folder).glob("*.png"))
