"""Promises about the repository as a whole: each function lists what breaks one."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

BIGGEST_FILE = 4 << 20  # bytes; the demo model is the one thing that may be bigger
BIG_FOLDERS = ("demo/model/", "tests/parity/references/")

# One alternative per kind of path that exists on one machine only. Bracketed so that this file does
# not match itself.
MACHINE_PATH = re.compile(
    r"(?<![\w.~-])/(?:[w]ork|[h]ome|[r]oot|[U]sers|[f]arm)/[\w.]|\.\./[s]hared\b"
)
_DEVICE = re.compile(r"(?:cpu|cuda)(?::\d+)?")
_CXX_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"\((?P<raw>.*?)\)"|"(?P<string>(?:\\.|[^"\\\n])*)"|\'(?:\\.|[^\'\\\n])\'',
    re.DOTALL,
)
_FENCE = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MAKE = re.compile(r"(?:^|[\s`])make ((?:[a-z0-9-]+ ?)+)")
_TARGET = re.compile(r"^([a-z][a-z0-9-]*(?: [a-z][a-z0-9-]*)*)\s*:(?!=)", re.MULTILINE)


def tracked_files(root: Path) -> list[str]:
    """Paths of all files that git knows and that are there."""
    output = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True
    ).stdout
    names = output.decode().split("\0")
    return [name for name in names if name and (root / name).is_file()]


def big_files(root: Path, names: Iterable[str]) -> list[str]:
    """Files over BIGGEST_FILE outside the folders that may hold such."""
    return [
        name
        for name in names
        if not name.startswith(BIG_FOLDERS) and (root / name).stat().st_size > BIGGEST_FILE
    ]


def sources_not_built(root: Path, names: Iterable[str]) -> list[str]:
    """C++ tests that no CMakeLists.txt names: they would never fail."""
    names = [*names]
    lists = [
        word
        for name in names
        if name.startswith("tests/") and name.endswith("CMakeLists.txt")
        for word in re.split(r"[\s()]+", (root / name).read_text(encoding="utf-8"))
    ]
    return [
        name
        for name in names
        if name.startswith("tests/") and name.endswith("_test.cpp")
        if not any(name.endswith(f"/{word}") for word in lists)
    ]


def machine_paths(root: Path, names: Iterable[str]) -> list[str]:
    """Lines of text files that name a path of one machine."""
    found = []
    for name in names:
        data = (root / name).read_bytes()
        if b"\0" in data[:8192]:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if MACHINE_PATH.search(line):
                found.append(f"{name}:{number}: {line.strip()[:120]}")
    return found


def string_literals(source: str) -> list[str]:
    """The string literals of C++ code, comments aside."""
    found = []
    for token in _CXX_TOKEN.finditer(source):
        text = token["raw"] if token["raw"] is not None else token["string"]
        if text is not None:
            found.append(text)
    return found


def device_literals(root: Path) -> list[str]:
    """C++ files that spell a device, apart from the one place that may."""
    found = []
    for top in ("core", "bindings"):
        for path in sorted((root / top).rglob("*")):
            name = path.relative_to(root)
            if path.suffix not in {".h", ".hpp", ".cpp"} or name.with_suffix("") == Path(
                "core/tensor/device"
            ):
                continue
            found += [
                f'{name}: "{text}"'
                for text in string_literals(path.read_text(encoding="utf-8"))
                if _DEVICE.fullmatch(text)
            ]
    return found


def debian_packages(listing: str) -> dict[str, str]:
    """Package and group of each line of third_party/debian-packages.txt. Raises ValueError."""
    packages: dict[str, str] = {}
    for line in listing.splitlines():
        if not line or line.startswith("#"):
            continue
        words = line.split(maxsplit=2)
        if len(words) < 3 or words[1] not in {"build", "test", "tidy"} or words[0] in packages:
            raise ValueError(f"not a new package, build, test or tidy, and a reason: {line}")
        packages[words[0]] = words[1]
    return packages


def make_targets(makefile: str) -> set[str]:
    """The targets that a Makefile's text defines."""
    return {name for names in _TARGET.findall(makefile) for name in names.split()}


def commands(markdown: str) -> str:
    """The lines of a document's shell blocks."""
    return "".join(_FENCE.findall(markdown))


def unknown_make_targets(markdown: str, makefile: str) -> set[str]:
    """Targets that a document tells its reader to make and that the Makefile does not have."""
    code = commands(markdown) + "\n" + "\n".join(re.findall(r"`([^`\n]+)`", markdown))
    named = {name for names in _MAKE.findall(code) for name in names.split()}
    return named - make_targets(makefile)


def broken_links(page: Path) -> list[str]:
    """Links of a Markdown page to files that are not there."""
    links = _LINK.findall(page.read_text(encoding="utf-8"))
    return [
        link
        for link in links
        if not re.match(r"[a-z]+:", link) and not (page.parent / link.split("#")[0]).exists()
    ]


# The one place of the version, and a record of what a certain version took.
_NAMES_A_VERSION = {"pyproject.toml"}


def repeated_version(root: Path, names: Iterable[str], version: str) -> list[str]:
    """Code and build files that spell the project's version again, comments aside."""
    spelled = re.compile(rf"(?<![\d.]){re.escape(version)}(?![\d.])")
    found = []
    for name in names:
        path = root / name
        if name.startswith("docs/performance/"):  # what was measured with it
            continue
        if path.suffix in {".h", ".hpp", ".cpp"}:
            text = "\n".join(string_literals(path.read_text(encoding="utf-8")))
        elif (
            path.suffix in {".py", ".pyi", ".cmake", ".ini", ".json", ".toml", ".yaml"}
            or path.name == "CMakeLists.txt"
        ):
            text = re.sub(r"(?m)^\s*#.*$", "", path.read_text(encoding="utf-8"))
        else:
            continue
        if name not in _NAMES_A_VERSION and spelled.search(text):
            found.append(name)
    return found
