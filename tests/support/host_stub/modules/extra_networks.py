import re
from collections import defaultdict


class ExtraNetworkParams:
    def __init__(self, items=None):
        self.items = items or []


def parse_prompts(prompts):
    """Texts without tags, and the tags of the first one, by kind."""
    tag = re.compile(r"<(\w+):([^>]+)>")
    found = defaultdict(list)
    for kind, arguments in tag.findall(prompts[0]):
        found[kind].append(ExtraNetworkParams(arguments.split(":")))
    return [tag.sub("", text) for text in prompts], found


def activate(p, extra_network_data):
    raise AssertionError("Stable Diffusion's extra networks were activated")


def deactivate(p, extra_network_data):
    raise AssertionError("Stable Diffusion's extra networks were deactivated")
