import importlib.util
import inspect
import re
import sys
import traceback
from collections import namedtuple
from pathlib import Path

from modules import script_callbacks

AlwaysVisible = object()
swallowed = []
ScriptClassData = namedtuple("ScriptClassData", ["script_class", "path", "basedir", "module"])
scripts_data = []
scripts_txt2img = scripts_img2img = None


class Script:
    is_txt2img = is_img2img = False
    infotext_fields = paste_field_names = None
    args_from = args_to = 0

    def elem_id(self, item_id):
        tab = "img2img" if self.is_img2img else "txt2img"
        prefix = f"{tab}_" if self.show(True) == self.show(False) else ""
        title = re.sub(r"[^a-z_0-9]", "", self.title().lower().replace(" ", "_"))
        return f"script_{prefix}{title}_{item_id}"


class MaskBlendArgs:
    def __init__(self, current_latent, nmask, init_latent, mask, blended_latent):
        self.current_latent = current_latent
        self.nmask = nmask
        self.init_latent = init_latent
        self.mask = mask
        self.blended_latent = blended_latent
        self.is_final_blend = True


class Runner:
    """Calls the hooks of always-on scripts: an object with any of the hooks' names as methods.

    scripts: all that the page has, whose arguments the processing object holds.
    """

    def __init__(self, hooks=(), scripts=()):
        self.hooks = list(hooks)
        self.scripts = list(scripts)
        self.inputs = [None]

    def call(self, name, p, *args):
        for hook in self.hooks:
            function = getattr(hook, name, None)
            if function is None:
                continue
            try:
                function(p, *args)
            except Exception:
                swallowed.append(name)
                traceback.print_exc()


def load_script(path, forget=True):
    """As the host loads a script file: the extension's root on sys.path meanwhile, callbacks
    forgotten before the first one.
    """
    if forget:
        script_callbacks.clear_callbacks()
        scripts_data.clear()
    before = sys.path
    sys.path = [str(Path(path).parents[1]), *sys.path]
    try:
        spec = importlib.util.spec_from_file_location(Path(path).name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path = before
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Script)
    ]
    root = str(Path(path).parents[1])
    scripts_data.extend(ScriptClassData(one, str(path), root, module) for one in classes)
    scripts = []
    for is_img2img in (False, True):
        for script_class in classes:
            script = script_class()
            script.is_img2img, script.is_txt2img = is_img2img, not is_img2img
            scripts.append(script)
    return scripts
