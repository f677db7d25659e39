class ModelData:
    def __init__(self):
        self.sd_model = None
        self.loaded_sd_models = []
        self.was_loaded_at_least_once = False
        self.failed_loads = 0

    def get_sd_model(self):
        if self.sd_model is None and not self.was_loaded_at_least_once:
            self.failed_loads += 1
        return self.sd_model


model_data = ModelData()
checkpoint_aliases = {}


def reload_model_weights(sd_model=None, info=None):
    raise FileNotFoundError("No checkpoints found")


def unload_model_weights(*args):
    """Hosts differ in what it takes."""
    return args[0] if args else None


def send_model_to_cpu(m):
    m.place = "cpu"


def send_model_to_device(m):
    m.place = "device"


def apply_token_merging(sd_model, token_merging_ratio):
    if sd_model is not None:
        sd_model.applied_token_merged_ratio = token_merging_ratio
