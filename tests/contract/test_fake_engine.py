"""The fake engine that the extension is tested with takes and gives what the real package does."""

from __future__ import annotations

import ast
import ctypes
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REAL = ROOT / "bindings" / "kandinsky_engine"
FAKE = ROOT / "tests" / "support" / "fake_engine" / "kandinsky_engine"


def top_level(kind, *files):
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, kind)}


real_files, fake_files = (sorted(folder.glob("*.py")) for folder in (REAL, FAKE))
real, fake = (top_level(ast.ClassDef, *files) for files in (real_files, fake_files))
real_functions = top_level(ast.FunctionDef, *real_files)
fake_functions = top_level(ast.FunctionDef, *fake_files)


def methods(node):
    return {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}


def parameters(function):
    """Names and defaults by position; names by keyword, also those of a TypedDict."""
    args = function.args
    keywords = {arg.arg for arg in args.kwonlyargs}
    if args.kwarg is not None:
        keywords |= options(real[args.kwarg.annotation.slice.id])
    positional = [arg.arg for arg in args.args if arg.arg not in ("self", "cls")]
    return positional, [ast.unparse(value) for value in args.defaults], keywords


def options(node):
    """The keys of a TypedDict and of those that it extends."""
    own = {part.target.id for part in node.body if isinstance(part, ast.AnnAssign)}
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in real]
    return own.union(*(options(real[base]) for base in bases))


def keyword_defaults(function):
    pairs = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return {arg.arg: value and ast.unparse(value) for arg, value in pairs}


def fields(node):
    """Names of the annotated attributes of a dataclass, or of the members of an enum."""
    names = []
    for part in node.body:
        if isinstance(part, ast.AnnAssign):
            names.append(part.target.id)
        elif isinstance(part, ast.Assign):
            names.append(part.targets[0].id)
    return names


PUBLIC = [
    (owner, name)
    for owner in ("Engine", "Embeds")
    for name in methods(fake[owner])
    if not name.startswith("_")
] + [("Engine", "__init__")]


def test_the_fake_has_the_methods_that_the_extension_calls():
    called = {"encode_prompts", "encode_images", "denoise", "decode", "encode", "latent_size"}
    assert {("Engine", name) for name in (*called, "close")} <= set(PUBLIC)
    assert {("Embeds", name) for name in ("combine", "concat", "select")} <= set(PUBLIC)


@pytest.mark.parametrize(("owner", "name"), PUBLIC)
def test_methods_have_the_real_parameters(owner, name):
    """Of the options those that the page gives."""
    faked, real_one = methods(fake[owner])[name], methods(real[owner])[name]
    *positions, keywords = parameters(faked)
    *real_positions, real_keywords = parameters(real_one)
    assert positions == real_positions
    assert keywords <= real_keywords
    defaults = keyword_defaults(real_one)
    assert {key: value for key, value in keyword_defaults(faked).items() if key in defaults} == (
        defaults
    )


@pytest.mark.parametrize("name", ["options", "samplers", "schedulers"])
def test_functions_have_the_real_parameters(name):
    assert parameters(fake_functions[name]) == parameters(real_functions[name])


@pytest.mark.parametrize("kind", ["sampler", "scheduler"])
def test_the_tables_have_the_real_names(kind, library):
    count, name = (getattr(library, f"kandinsky_{kind}_{what}") for what in ("count", "name"))
    name.argtypes, name.restype = [ctypes.c_size_t], ctypes.c_char_p
    names = [name(index).decode() for index in range(count())]
    assert list(runpy.run_path(str(FAKE / "tables.py"))[f"{kind.upper()}S"]) == names


@pytest.mark.parametrize(
    ("name", "real_name"),
    [
        ("Progress", "Progress"),
        ("Info", "EngineInfo"),
        ("Action", "Action"),
        ("Condition", "Condition"),
    ],
)
def test_values_have_the_real_fields(name, real_name):
    assert fields(fake[name]) == fields(real[real_name])


@pytest.mark.parametrize("name", [name for name in fake if name.endswith("Error")])
def test_errors_have_the_real_bases(name):
    def bases(node):
        return sorted(ast.unparse(base) for base in node.bases)

    assert bases(fake[name]) == bases(real[name])
