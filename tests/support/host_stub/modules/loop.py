"""What hosts do differently at the same places of their loop. `kind` is the host that this is."""

import torch

from modules import sd_hijack, sd_models, sd_vae_approx, shared


class A1111:
    def options_are_set(self, p):
        sd_hijack.model_hijack.apply_circular(p.tiling)

    def around(self, p):
        return p.sd_model.ema_scope()

    def before_batch(self, p):
        pass

    def before_pass(self, p):
        pass

    def before_sampling(self, p):
        pass


class ForgeObjects:
    """Keeps a model's networks in `forge_objects`, which extensions patch, and enters no
    `ema_scope`.
    """

    def __init__(self, processing):
        self.processing = processing

    def install(self, monkeypatch):
        """What only such a host has, beside its loop."""

        def refuse(*_args, **_kwargs):
            raise AssertionError("Stable Diffusion's model was changed")

        def select_checkpoint():
            raise FileNotFoundError("No checkpoints found")

        new = [
            (self.processing, "apply_circular_forge", refuse),
            (self.processing, "apply_token_merging", refuse),
            (self.processing.StableDiffusionProcessingTxt2Img, "hr_cfg", 1.0),
            (sd_models, "apply_alpha_schedule_override", refuse),
            (sd_models, "select_checkpoint", select_checkpoint),
        ]
        for owner, name, value in new:
            monkeypatch.setattr(owner, name, value, raising=False)
        shared.opts.add_option("sd_noise_schedule", shared.OptionInfo("Default"))
        monkeypatch.setattr(f"{__name__}.kind", self)

    def options_are_set(self, p):
        self.processing.apply_circular_forge(p.sd_model, p.tiling)

    def around(self, p):
        return torch.inference_mode()

    def before_batch(self, p):
        sd_vae_approx.model()
        p.sd_model.forge_objects = p.sd_model.forge_objects_original.shallow_copy()
        p.sd_model.forge_objects = p.sd_model.forge_objects_after_applying_lora.shallow_copy()

    def before_pass(self, p):
        p.sd_model.forge_objects = p.sd_model.forge_objects_after_applying_lora.shallow_copy()
        self.processing.apply_token_merging(p.sd_model, shared.opts.token_merging_ratio)

    def before_sampling(self, p):
        if p.enable_hr:
            assert p.sd_model.sd_checkpoint_info != sd_models.select_checkpoint()
        if shared.opts.sd_noise_schedule != "Zero Terminal SNR":
            return
        network = p.sd_model.forge_objects.unet.model
        p.sd_model.alphas_cumprod_original = p.sd_model.alphas_cumprod
        sd_models.apply_alpha_schedule_override(p.sd_model, p)
        network.model_sampling.set_sigmas(network.model_sampling.sigmas.to(network.device))


kind = A1111()
