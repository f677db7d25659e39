"""The fake engine that the extension is tested with takes and gives what the real package does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REAL = ROOT / "bindings" / "kandinsky_engine"
OPTIONS = ROOT / "core" / "include" / "kandinsky_options.hpp"
FAKE = ROOT / "tests" / "support" / "fake_engine" / "kandinsky_engine" / "__init__.py"


def classes(*files):
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return {
        node.name: node
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }


real = classes(*REAL.glob("*.py"))
fake = classes(FAKE)


def methods(node):
    return {part.name: part for part in node.body if isinstance(part, ast.FunctionDef)}


def positional(function):
    """Names and defaults of the parameters that need no keyword."""
    args = function.args
    return [arg.arg for arg in args.args], [ast.unparse(value) for value in args.defaults]


def engine_defaults():
    """Of the keywords of TypedDicts: the engine's own, None for what is absent by default."""
    text = OPTIONS.read_text(encoding="utf-8")
    found = dict.fromkeys(re.findall(r"std::(?:vector|optional)<.+> (\w+);", text), "None")
    for name, value in re.findall(r"^  [\w:]+ (\w+) = ([^;]+);", text, re.MULTILINE):
        found[name] = repr(ast.literal_eval({"true": "True", "false": "False"}.get(value, value)))
    return found


def typed_dict(name):
    """Names of a TypedDict's keywords, with those of its bases."""
    bases = [base.id for base in real[name].bases if base.id != "TypedDict"]
    return [*fields(real[name]), *(keyword for base in bases for keyword in typed_dict(base))]


def keywords(function):
    """Defaults by name of the parameters that need a keyword, those of `**options` included."""
    args = function.args
    found = {
        arg.arg: value and ast.unparse(value)
        for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True)
    }
    if args.kwarg is not None:
        defaults = engine_defaults()
        found |= {name: defaults[name] for name in typed_dict(args.kwarg.annotation.slice.id)}
    return found


def fields(node):
    """Names of the annotated attributes of a dataclass, or of the members of an enum."""
    names = []
    for part in node.body:
        if isinstance(part, ast.AnnAssign):
            names.append(part.target.id)
        elif isinstance(part, ast.Assign):
            names.append(part.targets[0].id)
    return names


PUBLIC = [name for name in methods(fake["Engine"]) if not name.startswith("_")] + ["__init__"]


def test_the_fake_has_the_methods_that_the_extension_calls():
    assert {"encode_prompts", "denoise", "decode", "encode", "latent_size", "close"} <= set(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_methods_have_the_real_parameters(name):
    ours, theirs = methods(fake["Engine"])[name], methods(real["Engine"])[name]
    assert positional(ours) == positional(theirs)
    assert keywords(ours) == keywords(theirs)


def test_progress_info_and_actions_have_the_real_fields():
    assert fields(fake["Progress"]) == fields(real["Progress"])
    assert fields(fake["Info"]) == fields(real["EngineInfo"])
    assert fields(fake["Action"]) == fields(real["Action"])


@pytest.mark.parametrize("name", [name for name in fake if name.endswith("Error")])
def test_errors_have_the_real_bases(name):
    def bases(node):
        return sorted(ast.unparse(base) for base in node.bases)

    assert bases(fake[name]) == bases(real[name])
