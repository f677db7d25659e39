"""Whatever a program hands to kandinsky.h, it gets an answer."""

import re
import subprocess
import sys
from pathlib import Path

from support import built

FEWEST_CALLS = 1000


def test_hostile_values_are_refused(library_path: Path, tmp_path: Path, root: Path) -> None:
    """NULL, numbers out of every range, counts of more than there is: never a crash."""
    model = built.make_models(tmp_path / "models")
    done = subprocess.run(
        [
            sys.executable,
            root / "tests/contract/hostile_calls.py",
            library_path,
            root / "core/include/kandinsky.h",
            model,
            tmp_path,
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    last = done.stdout.splitlines()[-1:]
    assert done.returncode == 0, f"{last}\n{done.stderr[-3000:]}"
    found = re.fullmatch(r"(\d+) calls", last[0])
    assert found
    assert int(found.group(1)) >= FEWEST_CALLS
