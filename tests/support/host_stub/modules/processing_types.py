"""The three kinds of processing objects, re-exported by `processing` where the host has them."""

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps

from modules import (
    extra_networks,
    images,
    loop,
    masking,
    prompt_parser,
    rng,
    scripts,
    sd_models,
    sd_samplers,
    sd_samplers_common,
    shared,
)
from modules.shared import opts, state


class StableDiffusionProcessing:
    is_hr_pass = False
    is_api = False
    enable_hr = False

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
        self.eta = None
        self.s_min_uncond = self.s_churn = self.s_tmin = self.s_tmax = self.s_noise = None
        self.refiner_checkpoint = None
        self.do_not_reload_embeddings = self.disable_extra_networks = False
        self.do_not_save_samples = self.do_not_save_grid = False
        self.override_settings = {}
        self.override_settings_restore_afterwards = True
        self.extra_generation_params = {}
        self.extra_network_data = None
        self.outpath_samples = self.outpath_grids = None
        self.overlay_images = self.mask_for_overlay = self.paste_to = None
        self.scripts = self.script_args = None
        self.comments = {}
        self.params_txt = None
        self.defaults()
        for name, value in values.items():
            assert hasattr(self, name), name
            setattr(self, name, value)

    def defaults(self):
        """The fields of this kind."""

    @property
    def sd_model(self):
        return shared.sd_model

    def comment(self, text):
        self.comments[text] = 1

    def call(self, name, *args):
        if self.scripts is not None:
            self.scripts.call(name, self, *args)

    def fill_fields_from_opts(self):
        for name in ("s_min_uncond", "s_churn", "s_tmin", "s_tmax", "s_noise"):
            if getattr(self, name) is None:
                setattr(self, name, getattr(opts, name))
        self.s_tmax = self.s_tmax or float("inf")

    def setup_prompts(self):
        apply = shared.prompt_styles.apply
        count = self.batch_size * self.n_iter
        given = self.prompt if isinstance(self.prompt, list) else [self.prompt] * count
        self.all_prompts = [apply(text, self.styles, False) for text in given]
        given = self.negative_prompt
        given = given if isinstance(given, list) else [given] * len(self.all_prompts)
        self.all_negative_prompts = [apply(text, self.styles, True) for text in given]

    def parse_extra_network_prompts(self):
        self.prompts, self.extra_network_data = extra_networks.parse_prompts(self.prompts)

    def conds(self, prompts, negative_prompts, steps, hires_steps=None):
        return (
            prompt_parser.get_multicond_learned_conditioning(
                shared.sd_model, prompts, steps, hires_steps
            ),
            prompt_parser.get_learned_conditioning(
                shared.sd_model, negative_prompts, steps, hires_steps
            ),
        )

    def setup_conds(self):
        self.firstpass_steps = sd_samplers.find_sampler_config(self.sampler_name).total_steps(
            self.steps
        )
        self.c, self.uc = self.conds(self.prompts, self.negative_prompts, self.firstpass_steps)

    def make_rng(self, shape):
        self.rng = rng.ImageRNG(
            shape,
            self.seeds,
            subseeds=self.subseeds,
            subseed_strength=self.subseed_strength,
            seed_resize_from_h=self.seed_resize_from_h,
            seed_resize_from_w=self.seed_resize_from_w,
        )

    def init(self):
        """Called once before the first batch."""

    def sample(self):
        raise NotImplementedError

    def close(self):
        self.c = self.uc = None


class StableDiffusionProcessingTxt2Img(StableDiffusionProcessing):
    def defaults(self):
        self.enable_hr = False
        self.denoising_strength = 0.75
        self.hr_scale = 2.0
        self.hr_upscaler = "Latent"
        self.hr_second_pass_steps = 0
        self.hr_checkpoint_name = self.hr_sampler_name = self.hr_scheduler = None
        self.hr_prompt = self.hr_negative_prompt = ""
        self.firstpass_image = None

    def parse_extra_network_prompts(self):
        texts = [self.hr_prompt or text for text in self.prompts]
        super().parse_extra_network_prompts()
        if self.enable_hr:
            self.hr_negative_prompts = [
                self.hr_negative_prompt or text for text in self.negative_prompts
            ]
            self.hr_prompts, self.hr_extra_network_data = extra_networks.parse_prompts(texts)

    def init(self):
        if not self.enable_hr:
            return
        params = self.extra_generation_params
        params["Denoising strength"] = self.denoising_strength
        if self.hr_checkpoint_name and self.hr_checkpoint_name != "Use same checkpoint":
            raise RuntimeError(f"Could not find checkpoint with name {self.hr_checkpoint_name}")
        if self.hr_sampler_name not in (None, self.sampler_name):
            params["Hires sampler"] = self.hr_sampler_name
        params["Hires schedule type"] = None
        self.hr_scheduler = self.hr_scheduler or getattr(self, "scheduler", None)
        self.latent_scale_mode = shared.latent_upscale_modes.get(self.hr_upscaler)
        self.hr_upscale_to_x = int(self.width * self.hr_scale)
        self.hr_upscale_to_y = int(self.height * self.hr_scale)
        params["Hires upscale"] = self.hr_scale
        params["Hires upscaler"] = self.hr_upscaler
        if self.hr_second_pass_steps:
            params["Hires steps"] = self.hr_second_pass_steps
        state.job_count = max(state.job_count, self.n_iter) * 2

    def sample(self):
        sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        if self.firstpass_image is not None and self.enable_hr:
            image = _tensor(self.firstpass_image)[None]
            if self.latent_scale_mode is None:
                return self.sample_hr_pass(None, image)
            return self.sample_hr_pass(sd_samplers_common.images_tensor_to_samples(image), None)
        x = self.rng.next()
        loop.kind.before_pass(self)
        self.call("process_before_every_sampling")
        samples = sampler.sample(self, x, self.c, self.uc, image_conditioning=None)
        if not self.enable_hr:
            return samples
        decoded = None
        if self.latent_scale_mode is None:
            decoded = torch.stack(decode_latent_batch(self.sd_model, samples)).float()
            decoded = torch.clamp((decoded + 1) / 2, 0, 1)
        sd_models.reload_model_weights(info=None)
        return self.sample_hr_pass(samples, decoded)

    def sample_hr_pass(self, samples, decoded):
        if state.interrupted:
            return samples
        self.is_hr_pass = True
        name = self.hr_sampler_name or self.sampler_name
        sampler = sd_samplers.create_sampler(name, self.sd_model)
        width, height = self.hr_upscale_to_x, self.hr_upscale_to_y
        if self.latent_scale_mode is not None:
            samples = torch.nn.functional.interpolate(
                samples, size=(height // 8, width // 8), **self.latent_scale_mode
            )
        else:
            enlarged = [
                _tensor(
                    images.resize_image(
                        0, sd_samplers_common.to_image(sample), width, height, self.hr_upscaler
                    )
                )
                for sample in decoded
            ]
            samples = sd_samplers_common.images_tensor_to_samples(torch.stack(enlarged))
        state.nextjob()
        self.make_rng(samples.shape[1:])
        noise = self.rng.next()
        steps = self.hr_second_pass_steps or self.steps
        total = sd_samplers.find_sampler_config(name).total_steps(steps)
        self.hr_c, self.hr_uc = self.conds(
            self.hr_prompts, self.hr_negative_prompts, self.firstpass_steps, total
        )
        loop.kind.hires_conds_are_set(self)
        loop.kind.before_pass(self)
        self.call("before_hr")
        self.call("process_before_every_sampling")
        samples = sampler.sample_img2img(
            self, samples, noise, self.hr_c, self.hr_uc, steps=steps, image_conditioning=None
        )
        decoded = decode_latent_batch(self.sd_model, samples)
        self.is_hr_pass = False
        return decoded


class StableDiffusionProcessingImg2Img(StableDiffusionProcessing):
    def defaults(self):
        self.init_images = None
        self.resize_mode = 0
        self.denoising_strength = 0.75
        self.image_mask = self.latent_mask = self.mask = self.nmask = None
        self.mask_blur = 4
        self.mask_round = True
        self.inpainting_fill = 0
        self.inpaint_full_res = True
        self.inpaint_full_res_padding = 0
        self.inpainting_mask_invert = 0
        self.initial_noise_multiplier = opts.initial_noise_multiplier

    def init(self):
        self.extra_generation_params["Denoising strength"] = self.denoising_strength
        sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        mask, crop = self._prepare_mask()
        sources = [self._prepare_image(image, mask, crop) for image in self.init_images]
        if len(sources) == 1:
            sources *= self.batch_size
            self.overlay_images = self.overlay_images and self.overlay_images * self.batch_size
        else:
            self.batch_size = len(sources)
        self.init_latent = sd_samplers_common.images_tensor_to_samples(torch.stack(sources))
        if mask is None:
            return
        height, width = self.init_latent.shape[2:]
        small = np.array(mask.convert("L").resize((width, height)), dtype=np.float32) / 255
        small = np.around(small) if self.mask_round else small
        self.nmask = torch.from_numpy(np.tile(small[None], (4, 1, 1)))
        self.mask = 1.0 - self.nmask
        if self.inpainting_fill == 2:
            shape = tuple(self.init_latent.shape[1:])
            noise = [rng.randn(seed, shape) for seed in self.all_seeds[: self.batch_size]]
            self.init_latent = self.init_latent * self.mask + torch.stack(noise) * self.nmask
        elif self.inpainting_fill == 3:
            self.init_latent = self.init_latent * self.mask

    def _prepare_mask(self):
        """The mask of the generated size, 255 is inpainted, and the box cut out of the image."""
        if self.image_mask is None:
            return None, None
        mask = self.image_mask.convert("L").point(lambda v: 255 if v > 128 else 0)
        if self.inpainting_mask_invert:
            mask = ImageOps.invert(mask)
        if self.mask_blur:
            mask = mask.filter(ImageFilter.GaussianBlur(self.mask_blur))
        self.overlay_images = []
        if not self.inpaint_full_res:
            mask = images.resize_image(self.resize_mode, mask, self.width, self.height)
            self.mask_for_overlay = mask.point(lambda v: min(255, v * 2))
            return mask, None
        box = masking.get_crop_region(mask, self.inpaint_full_res_padding)
        if box is None:
            return None, None
        self.mask_for_overlay = mask
        box = masking.expand_crop_region(box, self.width, self.height, *mask.size)
        self.paste_to = (box[0], box[1], box[2] - box[0], box[3] - box[1])
        return images.resize_image(2, mask.crop(box), self.width, self.height), box

    def _prepare_image(self, image, mask, crop):
        image = images.flatten(image, opts.img2img_background_color)
        if crop is None:
            image = images.resize_image(self.resize_mode, image, self.width, self.height)
        if mask is not None:
            overlay = Image.new("RGBa", image.size)
            kept = ImageOps.invert(self.mask_for_overlay.convert("L"))
            overlay.paste(image.convert("RGBA").convert("RGBa"), mask=kept)
            self.overlay_images.append(overlay.convert("RGBA"))
        if crop is not None:
            image = images.resize_image(2, image.crop(crop), self.width, self.height)
        if mask is not None and self.inpainting_fill != 1:
            image = masking.fill(image, mask)
        return _tensor(image)

    def sample(self):
        sampler = sd_samplers.create_sampler(self.sampler_name, self.sd_model)
        noise = self.rng.next() * self.initial_noise_multiplier
        loop.kind.before_pass(self)
        self.call("process_before_every_sampling")
        samples = sampler.sample_img2img(
            self, self.init_latent, noise, self.c, self.uc, image_conditioning=None
        )
        if self.mask is not None:
            blended = samples * self.nmask + self.init_latent * self.mask
            args = scripts.MaskBlendArgs(samples, self.nmask, self.init_latent, self.mask, blended)
            self.call("on_mask_blend", args)
            samples = args.blended_latent
        return samples


def decode_latent_batch(model, batch):
    decoded = DecodedSamples()
    for one in batch:
        decoded.append(sd_samplers_common.decode_first_stage(model, one[None])[0])
    return decoded


class DecodedSamples(list):
    already_decoded = True


def _tensor(image):
    """An image as [3, H, W] in 0..1."""
    return torch.from_numpy(np.moveaxis(np.array(image, dtype=np.float32) / 255.0, 2, 0).copy())
