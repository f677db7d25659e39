from types import SimpleNamespace

all_samplers = [SimpleNamespace(name=name) for name in ("DPM++ 2M", "Euler a", "DDIM")]


def find_sampler_config(name):
    return next((s for s in all_samplers if s.name == name), None)


def create_sampler(name, model):
    raise AssertionError("Stable Diffusion's own sampler was asked for")


def fix_p_invalid_sampler_and_scheduler(p):
    if find_sampler_config(p.sampler_name) is None:
        p.sampler_name = all_samplers[0].name
