"""What the extension, and the tests' stand-in for a host, say of the host's modules: read from the
sources and held against the real ones.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

POSITIONAL = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")


@dataclass(frozen=True)
class Call:
    """A call of something of the host's, without `*` and `**`."""

    name: str
    where: str
    positional: int
    keywords: tuple[str, ...]


@dataclass(frozen=True)
class Uses:
    """What sources use of the host's modules."""

    places: dict[str, str]
    """Dotted names, each with a place that uses it."""
    optional: set[str]
    """What is imported where an ImportError is caught: not every host has it."""
    calls: list[Call]


def _imports(tree: ast.AST) -> dict[str, str]:
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "modules":
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def _guarded(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            caught = {getattr(handler.type, "id", None) for handler in node.handlers}
            if "ImportError" in caught:
                for statement in node.body:
                    yield from _imports(statement).values()


def _dotted(node: ast.AST, names: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return names.get(node.id)
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, names)
        return before and f"{before}.{node.attr}"
    return None


def used(folder: Path) -> Uses:
    """What the sources below the folder use."""
    found = Uses({}, set(), [])
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        names = _imports(tree)
        found.optional.update(_guarded(tree))
        for node in ast.walk(tree):
            dotted = _dotted(node, names)
            where = f"{path.name}:{getattr(node, 'lineno', 0)}"
            if dotted is not None:
                found.places.setdefault(dotted, where)
            if not isinstance(node, ast.Call) or not (called := _dotted(node.func, names)):
                continue
            starred = any(isinstance(argument, ast.Starred) for argument in node.args)
            if not starred and all(keyword.arg for keyword in node.keywords):
                given = tuple(str(keyword.arg) for keyword in node.keywords)
                found.calls.append(Call(called, where, len(node.args), given))
    return found


def does_not_bind(call: Call, parameters: list[dict[str, Any]]) -> str | None:
    """Why a function with these parameters cannot be called so; None if it can."""
    positional = [p for p in parameters if p["kind"] in POSITIONAL]
    kinds = {p["kind"] for p in parameters}
    if call.positional > len(positional) and "VAR_POSITIONAL" not in kinds:
        return f"takes {len(positional)} positional arguments, not {call.positional}"
    known = {p["name"] for p in parameters if p["kind"] != "POSITIONAL_ONLY"}
    for keyword in call.keywords:
        if keyword not in known and "VAR_KEYWORD" not in kinds:
            return f"has no parameter {keyword}"
    given = {p["name"] for p in positional[: call.positional]} | set(call.keywords)
    for parameter in parameters:
        is_one = parameter["kind"] in (*POSITIONAL, "KEYWORD_ONLY")
        if is_one and not parameter["optional"] and parameter["name"] not in given:
            return f"wants {parameter['name']}, too"
    return None


def stand_in(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The functions, classes and methods of the stand-in's modules, without "modules." before, with
    the names of their parameters. Private ones are its own.
    """
    for path in sorted(folder.rglob("*.py")):
        module = ".".join(path.relative_to(folder).with_suffix("").parts)
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name[0] != "_":
                yield f"{module}.{node.name}", _parameter_names(node)
            elif isinstance(node, ast.ClassDef) and node.name[0] != "_":
                yield f"{module}.{node.name}", []
                for item in node.body:
                    if isinstance(item, ast.FunctionDef) and item.name[0] != "_":
                        name = f"{module}.{node.name}.{item.name}"
                        yield name, _parameter_names(item)


def _parameter_names(function: ast.FunctionDef) -> list[str]:
    arguments = function.args
    return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]


def differs(ours: list[str], parameters: list[dict[str, Any]]) -> str | None:
    """How the stand-in's parameters differ from the real ones: they must be the real ones, in
    their order; of those at the end that have a default it may lack some.
    """
    real = [p for p in parameters if p["kind"] in POSITIONAL]
    names = [p["name"] for p in real]
    if ours != names[: len(ours)]:
        return f"({', '.join(ours)}) here, ({', '.join(names)}) there"
    missing = [p["name"] for p in real[len(ours) :] if not p["optional"]]
    return f"{', '.join(missing)} missing here" if missing else None
