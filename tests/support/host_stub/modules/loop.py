"""What hosts do differently at the same places of their loop. `kind` is the host that this is."""

import importlib
import sys

import torch

from modules import extra_networks, sd_hijack, sd_models, sd_vae, sd_vae_approx, shared


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

    def hires_conds_are_set(self, p):
        pass

    def latent_channels(self, model):
        return model.latent_channels


class ForgeObjects:
    """Keeps a model's networks in `forge_objects`, which extensions patch, and enters no
    `ema_scope`.
    """

    sampling = "model_sampling"

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
        p.sd_model.alphas_cumprod_original = p.sd_model.alphas_cumprod
        sd_models.apply_alpha_schedule_override(p.sd_model, p)
        network = p.sd_model.forge_objects.unet.model
        sampling = getattr(network, self.sampling)
        sampling.set_sigmas(sampling.sigmas.to(network.device))

    def hires_conds_are_set(self, p):
        pass

    def latent_channels(self, model):
        return model.latent_channels


class ForgeReload(ForgeObjects):
    """Beside that, a model of its own making: loaded by a function that the loop imports by name,
    asked for more, and never None.
    """

    sampling = "predictor"

    def install(self, monkeypatch):
        super().install(monkeypatch)

        def reload():
            raise ValueError("You do not have any model!")

        for owner in (self.processing, sd_models):
            monkeypatch.setattr(owner, "forge_model_reload", reload, raising=False)
        shared.opts.add_option("sd_model_checkpoint", shared.OptionInfo(None))
        shared.opts.data_labels["sd_model_checkpoint"].infotext = "Model"
        if sd_models.model_data.sd_model is None:
            monkeypatch.setattr(sd_models.model_data, "sd_model", FakeInitialModel())
        monkeypatch.delattr(sd_models.model_data, "was_loaded_at_least_once")
        monkeypatch.delattr(sd_hijack.model_hijack, "embedding_db")

    def options_are_set(self, p):
        model, reloaded = self.processing.forge_model_reload()
        assert (model is shared.sd_model, reloaded) == (True, False)
        super().options_are_set(p)
        model.comments = []
        model.extra_generation_params = {}

    def before_batch(self, p):
        sd_models.forge_model_reload()
        super().before_batch(p)
        p.sd_model.set_clip_skip(1)
        assert not hasattr(p.sd_model.model_config, "ztsnr")

    def before_pass(self, p):
        super().before_pass(p)
        assert (p.sd_model.is_inpaint, p.sd_model.use_distilled_cfg_scale) == (False, False)

    def before_sampling(self, p):
        super().before_sampling(p)
        if p.enable_hr:
            extra_networks.activate(p, {})
        if p.cfg_scale == 1:
            p.uc = None
        p.extra_generation_params.update(p.sd_model.extra_generation_params)

    def hires_conds_are_set(self, p):
        if p.hr_cfg == 1:
            p.hr_uc = None

    def latent_channels(self, model):
        return model.forge_objects.vae.latent_channels


class ForgeNeo(ForgeReload):
    """Without what changes a model from outside, and with models that flow and that make videos."""

    def install(self, monkeypatch):
        super().install(monkeypatch)
        for name in ("reload_model_weights", "send_model_to_cpu", "send_model_to_device"):
            monkeypatch.delattr(sd_models, name)
        monkeypatch.setitem(sys.modules, "modules.sd_hijack", None)
        importlib.reload(sys.modules["kandinsky_ext.host.backend"])

    def options_are_set(self, p):
        super().options_are_set(p)
        assert (p.sd_model.is_wan, p.sd_model.use_shift) == (False, False)
        assert p.sd_model.fix_dimensions(p.width, p.height) == (p.width, p.height)
        assert not sd_vae.reload_vae_weights("some.vae.pt")

    def before_pass(self, p):
        super().before_pass(p)
        p.sd_model.set_shift(shift=3.0)


class FakeInitialModel:
    def get_prompt_lengths_on_ui(self, prompt):
        return len(prompt.split()), 75


kind = A1111()
