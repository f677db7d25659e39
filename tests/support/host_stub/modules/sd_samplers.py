class SamplerData:
    def __init__(self, name, second_order=False):
        self.name = name
        self.second_order = second_order

    def total_steps(self, steps):
        """How often the network is asked."""
        return steps * 2 if self.second_order else steps


NAMES = ("DPM++ 2M", "DPM++ 2M SDE", "Euler a", "Euler", "DPM adaptive", "DDIM", "UniPC")
all_samplers = [*(SamplerData(name) for name in NAMES), SamplerData("Heun", second_order=True)]
SCHEDULERS = ("Automatic", "Uniform", "Karras", "SGM Uniform", "KL Optimal")


def find_sampler_config(name):
    return next((s for s in all_samplers if s.name == name), None)


def create_sampler(name, model):
    raise AssertionError("Stable Diffusion's own sampler was asked for")


def fix_p_invalid_sampler_and_scheduler(p):
    for scheduler in SCHEDULERS:
        if p.sampler_name.endswith(f" {scheduler}"):
            p.sampler_name = p.sampler_name.removesuffix(f" {scheduler}")
            p.scheduler = scheduler
    if find_sampler_config(p.sampler_name) is None:
        p.sampler_name = all_samplers[0].name
    if p.scheduler not in SCHEDULERS:
        p.scheduler = SCHEDULERS[0]
