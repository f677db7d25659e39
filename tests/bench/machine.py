"""What a measurement has to say about the machine it was made on; nothing that names its owner."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

# What decides how fast a network runs on a CPU, as Linux spells it.
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "avx512_fp16", "amx_bf16", "amx_int8")
ARM_FLAGS = ("asimd", "bf16", "i8mm", "sve", "sve2")


def describe(cpuinfo: str, meminfo: str, cores: int) -> dict[str, Any]:
    """From the texts of /proc/cpuinfo and /proc/meminfo and the cores that may be used."""
    values = {}
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(":")
        values.setdefault(name.strip(), value.strip())
    present = set((values.get("flags") or values.get("Features") or "").split())
    memory_kb = next(
        (int(line.split()[1]) for line in meminfo.splitlines() if line.startswith("MemTotal:")), 0
    )
    return {
        "cpu": values.get("model name", platform.machine()),
        "family": f"{values.get('cpu family', '?')}/{values.get('model', '?')}",
        "cores": cores,
        "flags": [flag for flag in (*FLAGS, *ARM_FLAGS) if flag in present],
        "memory_gb": round(memory_kb * 1024 / 1e9, 1),
        "system": f"{platform.system()} {platform.machine()}",
    }


def quick_types(machine: dict[str, Any]) -> tuple[str, ...]:
    """In which it has instructions. Others are emulated, a hundred times as slowly."""
    return ("bf16", "fp32") if any("bf16" in flag for flag in machine["flags"]) else ("fp32",)


def this_machine() -> dict[str, Any]:
    return describe(
        Path("/proc/cpuinfo").read_text(encoding="utf-8"),
        Path("/proc/meminfo").read_text(encoding="utf-8"),
        len(os.sched_getaffinity(0)),
    )


def in_words(machine: dict[str, Any]) -> str:
    """As in "AMD EPYC (family 25, model 17), 2 cores, 24.1 GB, avx512_bf16"."""
    family, _, model = machine["family"].partition("/")
    flags = machine["flags"]
    chief = [flag for flag in flags if "bf16" in flag] or flags[-1:]
    name = f"{machine['cpu']} (family {family}, model {model})"
    return ", ".join([name, f"{machine['cores']} cores", f"{machine['memory_gb']} GB", *chief])
