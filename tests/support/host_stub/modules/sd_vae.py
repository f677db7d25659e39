def reload_vae_weights(sd_model=None, vae_file=None):
    raise AttributeError("'NoneType' object has no attribute 'first_stage_model'")


def get_loaded_vae_name():
    return "some.vae.pt"
