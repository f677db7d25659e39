"""The process that imports the package finds everything of its own as it left it."""

import importlib.util
from pathlib import Path

import pytest
from support.children import run_python

# All that a process shares among its guests, as seen from Python, from C and from the system.
STATE = """
import ctypes, decimal, faulthandler, gc, locale, logging, os, pathlib, random, resource
import signal, socket, sys, tempfile, threading, warnings
import numpy, torch

def c_environment():
    pointer = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    found = []
    while pointer[len(found)] is not None:
        found.append(pointer[len(found)])
    return sorted(found)

def signals():
    status = pathlib.Path("/proc/self/status").read_text().splitlines()
    return [line for line in status if line.startswith(("SigBlk", "SigIgn", "SigCgt"))]

def files():
    return sorted(os.readlink(path) for path in pathlib.Path("/proc/self/fd").iterdir()
                  if path.is_symlink() and "/proc/" not in os.readlink(path))

def flags():
    # c10's own, which a library with a flag of that name once overwrote
    value = ctypes.c_char.in_dll(torch_library, "FLAGS_minloglevel")
    return ctypes.string_at(ctypes.addressof(value), 64)
torch_library = ctypes.CDLL(os.path.join(os.path.dirname(torch.__file__), "lib", "libc10.so"))

def state():
    settings = torch.backends
    return {
        "signal handlers": [signal.getsignal(number) for number in signal.valid_signals()],
        "signals": signals(),
        "wakeup": signal.set_wakeup_fd(-1),
        "locale": [locale.setlocale(getattr(locale, name)) for name in dir(locale)
                   if name.startswith("LC_")],
        "environment": dict(os.environ),
        "environment of C": c_environment(),
        "paths": [list(getattr(sys, name)) for name in ("path", "argv", "meta_path", "path_hooks")],
        "hooks": [getattr(sys, name) for name in
                  ("excepthook", "displayhook", "unraisablehook", "breakpointhook")]
                 + [threading.excepthook, sys.gettrace(), sys.getprofile(), threading.gettrace()],
        "streams": [sys.stdin, sys.stdout, sys.stderr],
        "limits of Python": [sys.getrecursionlimit(), sys.getswitchinterval(),
                             gc.isenabled(), gc.get_threshold(), list(gc.callbacks)],
        "limits": [resource.getrlimit(number) for number in range(16)],
        "warnings": list(warnings.filters) + [warnings.showwarning],
        "logging": [logging.root.level, list(logging.root.handlers), logging.root.manager.disable],
        "faults": faulthandler.is_enabled(),
        "files": files(),
        "folder": [os.getcwd(), os.umask(os.umask(0o22)), tempfile.tempdir],
        "priority": [os.getpriority(os.PRIO_PROCESS, 0), sorted(os.sched_getaffinity(0))],
        "threads of Python": threading.active_count(),
        "timeouts": socket.getdefaulttimeout(),
        "random": [random.getstate(), str(numpy.random.get_state()),
                   torch.get_rng_state().tolist()],
        "numpy": [numpy.geterr(), numpy.geterrcall(), numpy.get_printoptions()],
        "decimals": str(decimal.getcontext()),
        "rounding": ctypes.CDLL(None).fegetround(),
        "torch": [
            torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled(),
            torch.get_num_threads(), torch.get_num_interop_threads(),
            torch.are_deterministic_algorithms_enabled(), torch.is_autocast_enabled("cpu"),
            torch.get_float32_matmul_precision(), settings.mkldnn.enabled,
            settings.cudnn.enabled, settings.cudnn.benchmark, settings.cudnn.deterministic,
            settings.cuda.matmul.allow_tf32, settings.cudnn.allow_tf32,
            (torch.tensor([1e-310], dtype=torch.float64) * 1).item(),
        ],
        "flags of torch": flags(),
    }
"""


@pytest.mark.parametrize("settings", ["usual", "odd"])
def test_nothing_of_the_process_is_touched(model: Path, tmp_path: Path, settings: str) -> None:
    source = (
        STATE
        + """
if sys.argv[2] == "odd":
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    warnings.simplefilter("error")
    logging.basicConfig(level=logging.DEBUG)
    faulthandler.enable()
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    numpy.seterr(all="raise")
    os.umask(0o77)
    gc.disable()
torch.ones(1 << 20).sum()
before = state()
def same(when):
    now = state()
    if when != "after closing":  # an open engine keeps its model's files open
        models = os.path.dirname(sys.argv[1])
        now["files"] = [path for path in now["files"] if not path.startswith(models)]
    for name in before:
        assert now[name] == before[name], (when, name, before[name], now[name])
import kandinsky_engine as kandinsky
same("after import")
few = dict(seeds=[1], width=64, height=64, num_inference_steps=2, prior_num_inference_steps=2)
engine = kandinsky.Engine(sys.argv[1], precision="fp32")
same("after opening")
image = engine.text_to_image(["a"], **few)[0]
same("after a run")
kandinsky.save_image(sys.argv[3], image, "text")
kandinsky.load_image(sys.argv[3])
engine.image_to_image(["a"], images=[image], masks=[image[..., 0]], **few)
try:
    engine.text_to_image(["a"], **{**few, "width": 0})
except kandinsky.InvalidArgumentError:
    pass
engine.unload()
engine.close()
del engine
same("after closing")
"""
    )
    run_python(source, model, settings, tmp_path / "a.png")


@pytest.mark.parametrize("order", ["first", "last", "between"])
def test_beside_other_libraries_in_any_order(model: Path, order: str) -> None:
    others = ["numpy", "torch", "PIL.Image", "cv2", "sentencepiece", "google.protobuf", "pandas"]
    found = [name for name in others if importlib.util.find_spec(name.partition(".")[0])]
    place = {"first": 0, "last": len(found), "between": len(found) // 2}[order]
    imports = [*found[:place], "kandinsky_engine", *found[place:]]
    source = f"""
import importlib, sys
for name in {imports!r}:
    importlib.import_module(name)
import numpy, torch, kandinsky_engine
options = dict(seeds=[1], width=64, height=64, num_inference_steps=2, prior_num_inference_steps=2)
with kandinsky_engine.Engine(sys.argv[1], precision="fp32") as engine:
    assert len(numpy.unique(engine.text_to_image(["a"], **options))) > 10
try:
    torch.empty(25 * 10**12, dtype=torch.uint8)
except RuntimeError:
    print("told")
"""
    assert run_python(source, model) == "told\n"


def test_twenty_engines_leave_nothing_behind(model: Path) -> None:
    """The tiny models have 14 MB of weights; 200 cycles take as little, tried by hand."""
    source = """
import os, pathlib, sys
import kandinsky_engine as kandinsky
def resident():
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20
def counts():
    return [len(os.listdir(f"/proc/self/{what}")) for what in ("fd", "task")]
def cycle():
    engine = kandinsky.Engine(sys.argv[1], precision="fp32")
    for steps in (2, 3):
        engine.text_to_image(
            ["a"], seeds=[1], width=64, height=64, num_inference_steps=steps,
            prior_num_inference_steps=2,
        )
        engine.unload()
    engine.close()
for _ in range(5):
    cycle()
before, counted = resident(), counts()
for _ in range(int(sys.argv[2])):
    cycle()
grown = resident() - before
print(f"{resident():.0f} MB, grown by {grown:.1f} MB, {counts()} files and threads")
assert grown < 20, grown
assert counts() == counted, (counted, counts())
"""
    run_python(source, model, "20")
