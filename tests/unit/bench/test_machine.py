"""What is told about a machine."""

import machine

CPUINFO = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
flags\t\t: fpu sse2 avx2 avx512f avx512_bf16 rdpid

processor\t: 1
model name\t: other
"""
MEMINFO = "MemTotal:       24681184 kB\nMemFree:        1000 kB\n"


def test_a_machine_is_described_by_what_matters() -> None:
    assert machine.describe(CPUINFO, MEMINFO, 2) | {"system": ""} == {
        "cpu": "AMD EPYC",
        "family": "25/17",
        "cores": 2,
        "flags": ["avx2", "avx512f", "avx512_bf16"],
        "memory_gb": 25.3,
        "system": "",
    }


def test_in_words() -> None:
    described = machine.describe(CPUINFO, MEMINFO, 2)
    words = "AMD EPYC (family 25, model 17), 2 cores, 25.3 GB, avx512_bf16"
    assert machine.in_words(described) == words
    old = machine.describe(CPUINFO.replace(" avx512f avx512_bf16", ""), MEMINFO, 2)
    assert machine.in_words(old).endswith("25.3 GB, avx2")


def test_what_is_emulated_is_not_measured() -> None:
    described = machine.describe(CPUINFO, MEMINFO, 2)
    assert machine.quick_types(described) == ("bf16", "fp32")
    old = machine.describe(CPUINFO.replace(" avx512f avx512_bf16", ""), MEMINFO, 2)
    assert machine.quick_types(old) == ("fp32",)


def test_an_arm_machine_is_described_too() -> None:
    found = machine.describe("Features\t: fp asimd bf16\nCPU part\t: 0xd40\n", MEMINFO, 4)
    assert (found["flags"], found["family"]) == (["asimd", "bf16"], "?/?")


def test_this_machine_has_cores_and_memory() -> None:
    found = machine.this_machine()
    assert found["cores"] >= 1
    assert found["memory_gb"] > 0
