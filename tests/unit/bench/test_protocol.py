"""Workers: answers, failures, and the end of one."""

import os
import signal
import sys
from pathlib import Path

import protocol
import pytest
from protocol import Worker, WorkerError

ECHO = """
import os
import sys
sys.path.insert(0, {folder!r})
from protocol import serve

def add(a, b):
    print("what a library says")
    return {{"sum": a + b}}

def leave():
    sys.exit(3)

def options():
    return {{"options": sys.argv[1]}}

def process():
    return {{"number": os.getpid()}}

serve({{"add": add, "leave": leave, "options": options, "process": process}})
"""


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    script = tmp_path / "echo.py"
    script.write_text(ECHO.format(folder=str(protocol.HERE)))
    with Worker("echo", Path(sys.executable), str(script), {"x": 1}, log=tmp_path / "log") as one:
        yield one


def test_a_worker_answers_whatever_libraries_print(worker: Worker, tmp_path: Path) -> None:
    assert worker.ask("add", a=1, b=2) == {"sum": 3}
    assert worker.ask("options") == {"options": '{"x": 1}'}
    assert worker.peak_memory() >= worker.memory() > 1 << 20
    worker.stop()
    assert "what a library says" in (tmp_path / "log").read_text()


def test_a_failure_is_told_and_the_worker_goes_on(worker: Worker) -> None:
    with pytest.raises(WorkerError, match="echo, add: TypeError"):
        worker.ask("add", a=1, b="2")
    assert worker.ask("add", a=1, b=2) == {"sum": 3}


def test_a_worker_that_ends_is_told(worker: Worker) -> None:
    with pytest.raises(WorkerError, match="echo ended with 3 at leave"):
        worker.ask("leave")


def test_memory_is_read_from_the_status() -> None:
    status = "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t 1 kB\n"
    assert protocol.bytes_of_status(status, "VmHWM") == 2 << 20
    assert protocol.bytes_of_status(status, "VmRSS") == 1024
    with pytest.raises(WorkerError, match="VmHWM"):
        protocol.bytes_of_status("Name:\tx\n", "VmHWM")


def test_a_worker_that_was_killed_can_be_stopped(worker: Worker) -> None:
    os.kill(worker.ask("process")["number"], signal.SIGKILL)
    for _ in range(2):  # the second finds the pipe broken, and leaves something in it
        with pytest.raises(WorkerError, match="echo ended with -9 at add"):
            worker.ask("add", a=1, b=2)
    worker.stop()
