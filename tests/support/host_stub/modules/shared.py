import datetime
import time
from pathlib import Path
from types import SimpleNamespace

from modules import sd_models


class OptionInfo:
    def __init__(self, default, label="", component=None, component_args=None, section=None):
        self.default = default
        self.label = label
        self.component = component
        self.component_args = component_args
        self.section = section
        self.infotext = None
        self.comment_after = ""

    def html(self, html):
        self.comment_after += html
        return self


class OptionHTML(OptionInfo):
    def __init__(self, text):
        super().__init__(text)
        self.do_not_save = True


class Options:
    """Values that were set are in `data`; the others come from `data_labels`.

    A fresh host has none set.
    """

    def __init__(self, defaults):
        self.__dict__["data_labels"] = {
            k: OptionInfo(v, LABELS.get(k, k)) for k, v in defaults.items()
        }
        self.__dict__["data"] = {}

    def __getattr__(self, key):
        if key in self.data:
            return self.data[key]
        if key in self.data_labels:
            return self.data_labels[key].default
        raise AttributeError(key)

    def __setattr__(self, key, value):
        self.data[key] = value

    def add_option(self, key, info):
        self.data_labels[key] = info

    def get_default(self, key):
        label = self.data_labels.get(key)
        return None if label is None else label.default

    def set(self, key, value, is_api=False, run_callbacks=True):
        if self.data.get(key) == value:
            return False
        setattr(self, key, value)
        return True


class State:
    def __init__(self):
        self.begin("")

    def begin(self, job):
        self.job = job
        self.time_start = time.time()
        self.skipped = self.interrupted = self.stopping_generation = False
        self.job_no, self.job_count = 0, -1
        self.sampling_step = self.sampling_steps = 0
        self.textinfo = None
        self.current_latent = self.current_image = None
        self.id_live_preview = 0
        self.job_timestamp = datetime.datetime.now().strftime("%Y%m%d%H%M%S")

    def end(self):
        self.job, self.job_count = "", 0

    def nextjob(self):
        self.job_no += 1
        self.sampling_step = 0

    def assign_current_image(self, image):
        self.current_image = image
        self.id_live_preview += 1


class TotalTqdm:
    updates = 0

    def update(self):
        self.updates += 1

    def updateTotal(self, new_total):  # noqa: N802  the host's name
        pass

    def clear(self):
        pass


class PromptStyles:
    def __init__(self):
        self.styles = {}

    def apply(self, text, styles, negative):
        for name in styles:
            style = self.styles[name][1 if negative else 0]
            if "{prompt}" in style:
                text = style.replace("{prompt}", text)
            elif style:
                text = f"{text}, {style}" if text else style
        return text


LABELS = {
    "CLIP_stop_at_last_layers": "Clip skip",
    "eta_noise_seed_delta": "Eta noise seed delta",
    "eta_ddim": "Eta for DDIM",
    "eta_ancestral": "Eta for k-diffusion samplers",
    "sigma_min": "sigma min",
    "sigma_max": "sigma max",
    "s_churn": "sigma churn",
    "s_tmin": "sigma tmin",
    "s_tmax": "sigma tmax",
    "s_noise": "sigma noise",
    "s_min_uncond": "Negative Guidance minimum sigma",
    "token_merging_ratio": "Token merging ratio",
    "token_merging_ratio_img2img": "Token merging ratio for img2img",
    "token_merging_ratio_hr": "Token merging ratio for high-res pass",
    "img2img_extra_noise": "Extra noise multiplier for img2img and hires fix",
    "skip_early_cond": "Ignore negative prompt during early sampling",
    "beta_dist_alpha": "Beta scheduler - alpha",
    "uni_pc_order": "UniPC order",
}
opts = Options(
    {
        "sd_model_checkpoint": None,
        "sd_vae_decode_method": "Full",
        "sd_vae_encode_method": "Full",
        "CLIP_stop_at_last_layers": 1,
        "emphasis": "Original",
        "live_previews_enable": True,
        "show_progress_every_n_steps": 10,
        "show_progress_grid": True,
        "randn_source": "GPU",
        "save_incomplete_images": False,
        "return_grid": True,
        "grid_save": True,
        "onnx_enable": False,
        "tiling": False,
        "img2img_fix_steps": False,
        "img2img_background_color": "#ffffff",
        "initial_noise_multiplier": 1.0,
        "overlay_inpaint": True,
        "return_mask": False,
        "eta_noise_seed_delta": 0,
        "eta_ddim": 0.0,
        "eta_ancestral": 1.0,
        "sigma_min": 0.0,
        "sigma_max": 0.0,
        "rho": 0.0,
        "s_churn": 0.0,
        "s_tmin": 0.0,
        "s_tmax": 0.0,
        "s_noise": 1.0,
        "s_min_uncond": 0.0,
        "token_merging_ratio": 0.0,
        "token_merging_ratio_img2img": 0.0,
        "token_merging_ratio_hr": 0.0,
        "img2img_extra_noise": 0.0,
        "skip_early_cond": 0.0,
        "beta_dist_alpha": 0.6,
        "uni_pc_order": 3,
    }
)


def walk_files(path, allowed_extensions=None):
    for file in sorted(Path(path).rglob("*")):
        if file.suffix.lower() in allowed_extensions:
            yield str(file)


latent_upscale_modes = {
    "Latent": {"mode": "bilinear", "antialias": False},
    "Latent (nearest-exact)": {"mode": "nearest-exact", "antialias": False},
}
cmd_opts = SimpleNamespace()
state = State()
total_tqdm = TotalTqdm()
prompt_styles = PromptStyles()
device = "cpu"


def __getattr__(name):
    if name == "sd_model":
        return sd_models.model_data.get_sd_model()
    raise AttributeError(name)
