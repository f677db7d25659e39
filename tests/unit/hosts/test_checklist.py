"""The checks of real hosts are all in the list."""

from pathlib import Path

import checklist
import host_checks

FOLDER = Path(host_checks.__path__[0])


def test_no_subject_is_left_out():
    listed = {Path(subject.__file__).name for subject in checklist.SUBJECTS}
    assert listed == {file.name for file in FOLDER.glob("*.py")}


def test_names_are_unique():
    names = [check.__name__ for check in [*checklist.BY_API, *checklist.ON_PAGE]]
    assert len(names) == len(set(names)) > 40
