"""The Python package where the interpreter ends, and where it is not the main one."""

from pathlib import Path

import pytest
from support.children import PRELUDE, run_python

# Each ends with sys.exit(3) while threads work that do not keep a program alive.
ENDINGS = {
    "a job runs": """
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine)
start(lambda: generate(engine))
event.wait()
""",
    "a job begins": """
engine = kandinsky.Engine(MODEL, precision="fp32")
start(lambda: generate(engine))
""",
    "weights are loaded": """
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine, "load")
start(lambda: generate(engine))
event.wait()
""",
    "engines are opened": """
def work():
    while True:
        opened.append(kandinsky.Engine(MODEL, precision="fp32"))
opened = []
start(work)
while not opened:
    time.sleep(0.001)
""",
    "images are read": """
import numpy
path = os.path.join(sys.argv[2], "a.png")
kandinsky.save_image(path, numpy.zeros((2000, 2000, 3), numpy.uint8))
for _ in range(4):
    start(lambda: [kandinsky.load_image(path) for _ in range(1000)])
time.sleep(0.2)
""",
    "a pipe is read": """
path = os.path.join(sys.argv[2], "pipe")
os.mkfifo(path)
start(lambda: kandinsky.load_image(path))
time.sleep(0.2)
""",
    "several engines": """
engines = [kandinsky.Engine(MODEL, precision="fp32") for _ in range(3)]
events = [reached(engine) for engine in engines]
for engine in engines:
    start(lambda engine=engine: generate(engine))
for event in events:
    event.wait()
""",
    "a callback works": """
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine, then=lambda: [len(str(i)) for i in range(10**6)])
start(lambda: generate(engine))
event.wait()
""",
    "a callback sleeps": """
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine, then=lambda: time.sleep(0.5))
start(lambda: generate(engine))
event.wait()
""",
    "a callback waits for ever": """
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine, then=threading.Event().wait)
start(lambda: generate(engine))
event.wait()
""",
    "a callback comes back while modules are taken down": """
class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(3)
sys.modules["slow"] = types.ModuleType("slow")
sys.modules["slow"].slow = Slow()
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine, then=lambda: time.sleep(2))
start(lambda: generate(engine))
event.wait()
""",
    "a callback has failed": """
def fail():
    raise LookupError("mine")
def work():
    try:
        generate(engine)
    except LookupError:
        time.sleep(10)
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine, then=fail)
start(work)
event.wait()
""",
    "a thread begins again and again": """
def work():
    while True:
        try:
            generate(engine)
        except kandinsky.CancelledError:
            pass
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine)
start(work)
event.wait()
""",
    "the engine was closed": """
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine)
start(lambda: generate(engine))
event.wait()
engine.close()
""",
    "the engine is forgotten": """
def work():
    engine = kandinsky.Engine(MODEL, precision="fp32")
    engine.on_progress = lambda progress: event.set()
    generate(engine)
event = threading.Event()
start(work)
event.wait()
""",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_exit_code_is_the_programs(model: Path, tmp_path: Path, ending: str) -> None:
    run_python(PRELUDE + ENDINGS[ending] + "sys.exit(3)", model, tmp_path, code=3)


@pytest.mark.parametrize(
    ("end", "code"), [("raise LookupError", 1), ("os._exit(7)", 7), ("", 0), ("sys.exit('no')", 1)]
)
def test_other_ways_to_end(model: Path, end: str, code: int) -> None:
    run_python(PRELUDE + ENDINGS["a job runs"] + end, model, code=code)


def test_an_engine_that_is_freed_as_the_end_begins(model: Path) -> None:
    """Closed in its job, whose thread has freed it and waits for the GIL."""
    source = """
import ctypes, fcntl
sys.setswitchinterval(60)  # only waiting and calls without it give the GIL away
engine = kandinsky.Engine(MODEL, precision="fp32")
names = os.listdir("/proc/self/fd")
paths = {int(name): os.path.realpath(f"/proc/self/fd/{name}") for name in names}
weights = [fd for fd, path in paths.items() if path.endswith(".safetensors")]
assert weights
library = ctypes.PyDLL(None)  # whose calls keep it
closed = threading.Event()
def close(progress):
    engine.close()
    closed.set()
engine.on_progress = close
start(lambda: generate(engine))
closed.wait()
while any(library.fcntl(fd, fcntl.F_GETFD) >= 0 for fd in weights):
    pass
for _ in range(10**6):  # the rest of the engine follows its files
    pass
sys.exit(3)
"""
    # Freed memory is overwritten at once.
    overwritten = {"MALLOC_PERTURB_": "165", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
    run_python(PRELUDE + source, model, code=3, timeout=60, **overwritten)


INTERRUPTED = """
engine = kandinsky.Engine(MODEL, precision="fp32")
expected = generate(engine, steps=2)
event = reached(engine)
def interrupt():
    event.wait()
    os.kill(os.getpid(), signal.SIGINT)
start(interrupt)
"""


@pytest.mark.parametrize(
    ("handler", "code", "said"),
    [
        ("", -2, "cleaned up\n"),
        ("signal.signal(signal.SIGINT, lambda *_: sys.exit(5))", 5, "cleaned up\n"),
        ("signal.signal(signal.SIGINT, lambda *_: None)", 0, "done\ncleaned up\n"),
    ],
)
def test_ctrl_c_in_a_job(model: Path, handler: str, code: int, said: str) -> None:
    source = """
try:
    generate(engine, steps=50)
    print("done")
finally:
    engine.on_progress = None
    assert (generate(engine, steps=2) == expected).all()
    print("cleaned up", flush=True)
"""
    assert run_python(PRELUDE + INTERRUPTED + handler + source, model, code=code) == said


def test_ctrl_c_ends_the_waiting(model: Path) -> None:
    source = """
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine, then=threading.Event().wait)
start(lambda: generate(engine))
event.wait()
def interrupt():
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
start(interrupt)
sys.exit(3)
"""
    run_python(PRELUDE + source, model, code=3)


def test_a_thread_that_keeps_the_program_alive_finishes(model: Path) -> None:
    source = """
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine)
start(lambda: print(generate(engine, steps=20).shape), daemon=False)
event.wait()
sys.exit(3)
"""
    assert run_python(PRELUDE + source, model, code=3) == "(1, 64, 64, 3)\n"


def test_what_the_program_does_at_its_end_still_works(model: Path) -> None:
    """Functions that were registered later come before the package's own, earlier ones after it."""
    source = """
import atexit
def last():
    engine.on_progress = lambda progress: None
    print("last", generate(engine, steps=2).shape)
    engine.close()
atexit.register(last)
"""
    source += PRELUDE
    source += """
def first():
    print("first", generate(other, steps=2).shape)
atexit.register(first)
engine, other = kandinsky.Engine(MODEL, precision="fp32"), kandinsky.Engine(MODEL, precision="fp32")
busy = kandinsky.Engine(MODEL, precision="fp32")
event = reached(busy)
def work():
    try:
        generate(busy)
    except kandinsky.CancelledError:
        print("cancelled", flush=True)
start(work)
event.wait()
sys.exit(3)
"""
    said = run_python(source, model, code=3).splitlines()
    assert said == ["first (1, 64, 64, 3)", "cancelled", "last (1, 64, 64, 3)"]


class TestFork:
    """kandinsky.h says what a child may do; here is what Python adds."""

    def test_a_job_that_runs_meanwhile(self, model: Path) -> None:
        """The child is not told to wait for a job whose thread it does not have."""
        source = """
engine = kandinsky.Engine(MODEL, precision="fp32")
event = reached(engine)
outcome = []
thread = start(lambda: outcome.append(generate(engine, steps=200)))
event.wait()
child = os.fork()
if child == 0:
    signal.alarm(30)
    try:
        generate(engine)
    except kandinsky.IncompatibleError as error:
        assert "fork" in str(error)
        engine.cancel()
        engine.close()
        sys.exit(5)  # and the end waits for no job of the parent
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
thread.join()
assert outcome[0].shape == (1, 64, 64, 3)
"""
        run_python(PRELUDE + source, model)

    def test_fork_in_a_thread_and_in_a_callback(self, model: Path) -> None:
        source = """
def fork():
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        try:
            kandinsky.Engine(MODEL, precision="fp32").close()
            other.info
            generate(other)
        except kandinsky.IncompatibleError:
            os._exit(0)
        os._exit(1)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
codes = []
engine, other = kandinsky.Engine(MODEL, precision="fp32"), kandinsky.Engine(MODEL, precision="fp32")
generate(other, steps=2)
start(fork).join()
reached(engine, then=fork)
assert generate(engine, steps=3).shape == generate(other, steps=2).shape
assert codes == [0, 0], codes
"""
        run_python(PRELUDE + source, model)

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    def test_multiprocessing(self, model: Path, tmp_path: Path, method: str) -> None:
        """A child that is forked has its error at once, a new one its own engine."""
        source = f"""
import multiprocessing, sys
import numpy as np
import kandinsky_engine as kandinsky

engine = None

def generate(engine):
    embeds, _ = engine.encode_prompts(["x"], seeds=[1], prior_num_inference_steps=2)
    return embeds

def work(folder, embeds):
    used = engine or kandinsky.Engine(folder, precision="fp32")
    again = generate(used)
    for name in ("image_embeds", "prompt_embeds", "text_encoder_hidden_states"):
        assert np.array_equal(again.tensor(name), embeds.tensor(name))
    return again

if __name__ == "__main__":
    engine = kandinsky.Engine(sys.argv[1], precision="fp32")
    embeds = generate(engine)
    with multiprocessing.get_context({method!r}).Pool(1) as pool:
        result = pool.apply_async(work, [sys.argv[1], {"None" if method == "fork" else "embeds"}])
        try:
            assert result.get(60).batch_size == 1
            print("done")
        except kandinsky.IncompatibleError as error:
            print(error)
    assert generate(engine).batch_size == 1
"""
        program = tmp_path / "program.py"
        program.write_text(source, encoding="utf-8")
        said = run_python(program, model)
        assert ("fork" in said and "spawn" in said) if method == "fork" else said == "done\n"


def test_a_subinterpreter_is_told(tmp_path: Path) -> None:
    """Importing torch alone stops or ends the process there."""
    source = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
import pathlib, sys
if "after" in sys.argv[1]:
    import kandinsky_engine
inside = interpreters.create()
interpreters.run_string(inside, f'''
import pathlib
try:
    import kandinsky_engine
except ImportError as error:
    pathlib.Path({sys.argv[2]!r}).write_text(str(error))
''')
interpreters.destroy(inside)
"""
    for when in ("alone", "after the main one"):
        run_python(source, when, tmp_path / when)
        text = (tmp_path / when).read_text(encoding="utf-8")
        assert "this is a subinterpreter" in text
        assert "main interpreter" in text
