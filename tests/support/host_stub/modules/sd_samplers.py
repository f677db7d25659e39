class SamplerData:
    def __init__(self, name, **options):
        self.name = name
        self.options = options

    def total_steps(self, steps):
        """How often the network is asked."""
        return steps * 2 if self.options.get("second_order") else steps


class Scheduler:
    def __init__(self, name, label, *aliases):
        self.name = name
        self.label = label
        self.names = (label, name, *aliases)


KARRAS, EXPONENTIAL = {"scheduler": "karras"}, {"scheduler": "exponential"}
TWICE = {"second_order": True}
all_samplers = [
    SamplerData("DPM++ 2M", **KARRAS),
    SamplerData("DPM++ SDE", **KARRAS, **TWICE),
    SamplerData("DPM++ 2M SDE", **EXPONENTIAL),
    SamplerData("DPM++ 2M SDE Heun", **EXPONENTIAL),
    SamplerData("DPM++ 2S a", **KARRAS, **TWICE),
    SamplerData("DPM++ 3M SDE", **EXPONENTIAL),
    SamplerData("Euler a"),
    SamplerData("Euler"),
    SamplerData("LMS"),
    SamplerData("Heun", **TWICE),
    SamplerData("DPM2", **KARRAS, **TWICE),
    SamplerData("DPM2 a", **KARRAS, **TWICE),
    SamplerData("DPM fast"),
    SamplerData("DPM adaptive"),
    SamplerData("Restart", **KARRAS, **TWICE),
    SamplerData("DDIM"),
    SamplerData("PLMS"),
    SamplerData("UniPC"),
    SamplerData("LCM"),
]
"""A schedule among the options is what "Automatic" stands for."""
schedulers = [
    Scheduler("automatic", "Automatic"),
    Scheduler("uniform", "Uniform"),
    Scheduler("karras", "Karras"),
    Scheduler("exponential", "Exponential"),
    Scheduler("polyexponential", "Polyexponential"),
    Scheduler("sgm_uniform", "SGM Uniform", "SGMUniform"),
    Scheduler("kl_optimal", "KL Optimal"),
    Scheduler("align_your_steps", "Align Your Steps"),
    Scheduler("simple", "Simple"),
    Scheduler("normal", "Normal"),
    Scheduler("ddim", "DDIM"),
    Scheduler("beta", "Beta"),
    Scheduler("turbo", "Turbo"),
]


def find_sampler_config(name):
    return next((s for s in all_samplers if s.name == name), None)


def create_sampler(name, model):
    raise AssertionError("Stable Diffusion's own sampler was asked for")


def get_sampler_and_scheduler(sampler_name, scheduler_name, *, convert_automatic=True):
    """What the fields show for these names, unknown ones replaced by the first. A schedule at the
    end of the sampler's name counts, and one that suits the sampler anyway becomes "Automatic".
    """
    sampler_name = sampler_name or all_samplers[0].name
    scheduler = next((s for s in schedulers if scheduler_name in s.names[:2]), schedulers[0])
    for one in schedulers:
        ending = next((f" {name}" for name in one.names if sampler_name.endswith(f" {name}")), "")
        if ending:
            scheduler, sampler_name = one, sampler_name.removesuffix(ending)
    sampler = find_sampler_config(sampler_name) or all_samplers[0]
    if convert_automatic and sampler.options.get("scheduler") == scheduler.name:
        scheduler = schedulers[0]
    return sampler.name, scheduler.label


def get_sampler_from_infotext(d):
    return get_sampler_and_scheduler(d.get("Sampler"), d.get("Schedule type"))[0]


def get_scheduler_from_infotext(d):
    return get_sampler_and_scheduler(d.get("Sampler"), d.get("Schedule type"))[1]


def get_hr_sampler_and_scheduler(d):
    sampler, scheduler = d.get("Sampler"), d.get("Schedule type")
    hr_sampler = d.get("Hires sampler", "Use same sampler")
    hr_scheduler = d.get("Hires schedule type", "Use same scheduler")
    hr_sampler, hr_scheduler = get_sampler_and_scheduler(
        sampler if hr_sampler == "Use same sampler" else hr_sampler,
        scheduler if hr_scheduler == "Use same scheduler" else hr_scheduler,
    )
    return (
        "Use same sampler" if hr_sampler == sampler else hr_sampler,
        "Use same scheduler" if hr_scheduler == scheduler else hr_scheduler,
    )


def fix_p_invalid_sampler_and_scheduler(p):
    p.sampler_name, p.scheduler = get_sampler_and_scheduler(
        p.sampler_name, p.scheduler, convert_automatic=False
    )
