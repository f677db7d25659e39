"""Hosts that the extension cannot run in."""

import importlib
import sys

import pytest


def test_a_host_without_a_loop_of_its_own_is_told_so_in_one_line(host, monkeypatch):
    monkeypatch.setitem(sys.modules, "modules.rng", None)
    with pytest.raises(ImportError, match="cannot run in this web UI, which uses") as raised:
        importlib.reload(host.ext("host"))
    assert "\n" not in str(raised.value)
