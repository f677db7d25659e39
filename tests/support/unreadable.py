"""Folders that nobody may look into, not even root."""

from __future__ import annotations

import os
from pathlib import Path


def forbid(monkeypatch, *folders):
    """The system answers as for ext4's lost+found."""

    def guarded(function, *, inside):
        def asked(path, *args, **named):
            real = Path(os.path.realpath(path)) if isinstance(path, (str, Path)) else Path()
            if {*(real.parents if inside else [real, *real.parents])} & {*folders}:
                raise PermissionError(13, "Permission denied", str(path))
            return function(path, *args, **named)

        return asked

    monkeypatch.setattr(os, "stat", guarded(os.stat, inside=True))
    monkeypatch.setattr(os, "listdir", guarded(os.listdir, inside=False))
