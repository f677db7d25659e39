"""Promises about the repository as a whole, each check also seen to fail on a broken copy."""

import re
import subprocess
from pathlib import Path

import pytest
from support import repository


@pytest.fixture(scope="module")
def tracked(root: Path) -> list[str]:
    return repository.tracked_files(root)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A small repository that keeps all promises."""
    files = {
        "pyproject.toml": 'version = "1.2.3"\n',
        "CMakeLists.txt": "# reads 1.2.3 from pyproject.toml\nproject(sample)\n",
        "core/tensor/device.cpp": 'auto a = "cuda";\nauto b = "cpu";\n',
        "core/nn/unet/a.cpp": '// "cuda"\n/* "cpu" */ f("not the cpu"); char q = \'"\';\n',
        "docs/notes.md": "See docs/other.md and ../elsewhere.\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def version_of(root: Path) -> str:
    project = (root / "pyproject.toml").read_text(encoding="utf-8")
    match = re.search(r'(?m)^version = "(\d+\.\d+\.\d+)"$', project)
    assert match, "pyproject.toml names no version"
    return match.group(1)


def test_git_knows_the_files(tracked: list[str]) -> None:
    assert {"Makefile", "README.md", "core/include/kandinsky.h"} <= set(tracked)


def test_no_file_is_big(root: Path, tracked: list[str]) -> None:
    assert repository.big_files(root, tracked) == []


def test_a_big_file_is_seen(tmp_path: Path) -> None:
    for name in ("core/blob.bin", "demo/model/weights.bin"):
        (tmp_path / name).parent.mkdir(parents=True)
        with (tmp_path / name).open("wb") as file:
            file.truncate(repository.BIGGEST_FILE + 1)
    names = ["core/blob.bin", "demo/model/weights.bin"]
    assert repository.big_files(tmp_path, names) == ["core/blob.bin"]


def test_every_cxx_test_is_built(root: Path, tracked: list[str]) -> None:
    assert repository.sources_not_built(root, tracked) == []
    more = [*tracked, "tests/unit/nn/forgotten_test.cpp"]
    assert repository.sources_not_built(root, more) == ["tests/unit/nn/forgotten_test.cpp"]


def test_no_file_names_a_path_of_one_machine(root: Path, tracked: list[str]) -> None:
    assert repository.machine_paths(root, tracked) == []


@pytest.mark.parametrize(
    "path", ["/ho" + "me/me/models", "/wo" + "rk/main", "/ro" + "ot/.cache", "../sha" + "red/spec"]
)
def test_a_path_of_one_machine_is_seen(sample: Path, path: str) -> None:
    name = "docs/notes.md"
    assert repository.machine_paths(sample, [name]) == []
    (sample / name).write_text(f"first\nsee {path} there\n", encoding="utf-8")
    assert repository.machine_paths(sample, [name]) == [f"{name}:2: see {path} there"]


def test_devices_are_spelled_in_one_place(root: Path) -> None:
    assert repository.device_literals(root) == []
    device = (root / "core/tensor/device.cpp").read_text(encoding="utf-8")
    assert {"auto", "fp16"} <= set(repository.string_literals(device))


@pytest.mark.parametrize("line", ['auto d = "cuda";', 'open("cpu")', 'Device d{R"(cuda:1)"};'])
def test_a_device_spelled_elsewhere_is_seen(sample: Path, line: str) -> None:
    assert repository.device_literals(sample) == []
    (sample / "core/nn/unet/other.cpp").write_text(line + "\n", encoding="utf-8")
    found = repository.device_literals(sample)
    assert len(found) == 1
    assert found[0].startswith("core/nn/unet/other.cpp")


def test_the_version_is_written_once(root: Path, tracked: list[str]) -> None:
    assert repository.repeated_version(root, tracked, version_of(root)) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("core/a.cpp", 'auto v = "1.2.3";\n'),
        ("package/__init__.py", '__version__ = "1.2.3"\n'),
        ("CMakeLists.txt", "project(sample VERSION 1.2.3)\n"),
        ("metadata.ini", "Version = 1.2.3\n"),
    ],
)
def test_a_second_version_is_seen(sample: Path, name: str, text: str) -> None:
    names = ["pyproject.toml", "CMakeLists.txt", "core/tensor/device.cpp"]
    assert repository.repeated_version(sample, names, "1.2.3") == []
    (sample / name).parent.mkdir(parents=True, exist_ok=True)
    (sample / name).write_text(text, encoding="utf-8")
    assert repository.repeated_version(sample, {*names, name}, "1.2.3") == [name]


def test_the_changelog_knows_the_version(root: Path) -> None:
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"(?m)^## \[(\d+\.\d+\.\d+)\]", changelog)[:1] == [version_of(root)]


@pytest.mark.parametrize("document", ["README.md", "tests/README.md", "CHANGELOG.md"])
def test_documents_name_real_make_targets(root: Path, document: str) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    text = (root / document).read_text(encoding="utf-8")
    assert repository.unknown_make_targets(text, makefile) == set()


def test_the_readme_names_the_two_commands(root: Path) -> None:
    named = repository.commands((root / "README.md").read_text(encoding="utf-8"))
    assert "make demo" in named
    assert "make test" in named


def test_an_unknown_target_is_seen() -> None:
    makefile = ".PHONY: a\nPYTHON := python3\ndemo unit:\n\tdo it\nlint: unit\n"
    assert repository.make_targets(makefile) == {"demo", "unit", "lint"}
    text = (
        "Then `make polish`. To make tea is no command.\n```sh\nmake demo lint\nmake wheel\n```\n"
    )
    assert repository.unknown_make_targets(text, makefile) == {"polish", "wheel"}


def test_documents_link_to_files_that_are_there(root: Path, tracked: list[str]) -> None:
    broken = [
        f"{name}: {link}"
        for name in tracked
        if name.endswith(".md")
        for link in repository.broken_links(root / name)
    ]
    assert broken == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "[a](page.md#part) [b](https://example.org/x) ![c](gone.png)\n", encoding="utf-8"
    )
    assert repository.broken_links(page) == ["gone.png"]


def test_make_help_lists_every_target(root: Path) -> None:
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert set(re.findall(r"(?m)^ *make ([a-z0-9-]+)", listed)) == repository.make_targets(makefile)


def test_ci_calls_the_test_command_of_the_readme(root: Path) -> None:
    script = root / ".ci/run"
    assert script.stat().st_mode & 0o111, ".ci/run cannot be run"
    assert re.search(r"(?m)^(exec )?make test$", script.read_text(encoding="utf-8"))


def test_what_cmake_asks_for_is_installed(root: Path) -> None:
    listing = (root / "third_party/debian-packages.txt").read_text(encoding="utf-8")
    asked = {
        package
        for recipe in (root / "third_party").glob("*.cmake")
        for packages in re.findall(r"(?m)\bDEBIAN ([a-z0-9 .+-]+)", recipe.read_text("utf-8"))
        for package in packages.split()
    }
    assert "libpng-dev" in asked
    assert asked <= set(repository.debian_packages(listing))


@pytest.mark.parametrize("line", ["g++", "g++ build", "g++ demo the compiler", "cmake test twice"])
def test_a_package_without_group_or_reason_is_seen(line: str) -> None:
    good = "# why\n\ncmake  build  the build system\n"
    assert repository.debian_packages(good) == {"cmake": "build"}
    with pytest.raises(ValueError, match=re.escape(line)):
        repository.debian_packages(good + line + "\n")
