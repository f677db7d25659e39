"""What was compiled for torch and what was not may have different layouts of std::string.

Torch up to 2.6 for CUDA has the old one. Here both are alike, so nothing but the names of functions
tells of one that takes a string, or a list of them, from the other side.
"""

import subprocess
from pathlib import Path


def symbols(library: Path, which: str) -> set[str]:
    assert library.is_file(), f"{library} is missing: run `make build` first"
    done = subprocess.run(
        ["nm", "--format=just-symbols", "--demangle", which, library],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines())


def test_no_string_is_passed_between_the_two(library_path: Path) -> None:
    core = library_path.parent / "core"
    plain = symbols(core / "libkandinsky_plain.a", "--defined-only")
    wanted = symbols(core / "libkandinsky_torch.a", "--undefined-only")
    crossing = {name for name in plain & wanted if name.startswith("kandinsky::")}
    assert len(crossing) > 50
    assert [name for name in sorted(crossing) if "std::__cxx11::" in name] == []


def test_each_has_its_own_fmt(library_path: Path) -> None:
    build = library_path.parent
    plain = symbols(build / "libkandinsky_fmt.a", "--defined-only")
    plain |= symbols(build / "core/libkandinsky_plain.a", "--defined-only")
    torch = symbols(build / "core/libkandinsky_fmt_torch.a", "--defined-only")
    torch |= symbols(build / "core/libkandinsky_torch.a", "--defined-only")
    assert any("fmt::kandinsky_torch::" in name for name in torch)
    assert [name for name in sorted(plain & torch) if "fmt::" in name] == []
