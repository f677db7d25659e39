"""The stub says what the module has, and the package what it exports."""

import ast
import inspect
import re

from support.built import PACKAGE

import kandinsky_engine
from kandinsky_engine import _core

Signatures = dict[str, list[str] | None]


def from_stub() -> Signatures:
    """Each function's parameter names and each class (None), by dotted name."""
    found: Signatures = {}
    tree = ast.parse((PACKAGE / "_core.pyi").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found[node.name] = None
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    is_property = any(
                        isinstance(decorator, ast.Name) and decorator.id == "property"
                        for decorator in member.decorator_list
                    )
                    names = [argument.arg for argument in member.args.args]
                    if member.args.posonlyargs:
                        count = len(member.args.posonlyargs) - 1
                        names = ["self", *(f"arg{i}" for i in range(count)), *names]
                    found[f"{node.name}.{member.name}"] = None if is_property else names
                elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
                    found[f"{node.name}.{member.target.id}"] = None
        elif isinstance(node, ast.FunctionDef):
            found[node.name] = [argument.arg for argument in node.args.args]
    return found


def parameters(documentation: str | None) -> list[str]:
    """From the signature that pybind11 puts first: "f(self: ..., width: int) -> ..."."""
    first = (documentation or "").splitlines()[0]
    return re.findall(r"(\w+): ", first[first.index("(") :])


def from_module() -> Signatures:
    found: Signatures = {}
    for name, value in vars(_core).items():
        if name.startswith("__"):
            continue
        if not inspect.isclass(value):
            found[name] = parameters(value.__doc__)
            continue
        found[name] = None
        for member_name, member in vars(value).items():
            if isinstance(member, property):
                found[f"{name}.{member_name}"] = None
            elif not member_name.startswith("_") or member_name == "__init__":
                found[f"{name}.{member_name}"] = parameters(getattr(value, member_name).__doc__)
    return found


def test_stub_and_module_agree() -> None:
    stub, module = from_stub(), from_module()
    # Results only: pybind11 gives them an __init__ that refuses, the stub names their protocol.
    for name in ("FloatBuffer", "ByteBuffer", "Embeds"):
        module.pop(f"{name}.__init__", None)
        stub.pop(f"{name}.__buffer__", None)
    assert len(module) > 20
    assert stub == module


def test_buffers_have_what_the_stub_promises() -> None:
    for buffer in (_core.FloatBuffer, _core.ByteBuffer):
        assert buffer.__doc__
        assert "numpy.asarray()" in buffer.__doc__


def test_package_exports_what_it_names() -> None:
    exported = set(kandinsky_engine.__all__)
    assert len(exported) == len(kandinsky_engine.__all__)
    for name in exported:
        assert hasattr(kandinsky_engine, name)
    public = {
        name
        for name, value in vars(kandinsky_engine).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == exported - {"__version__"}


def test_package_is_typed() -> None:
    assert (PACKAGE / "py.typed").is_file()
    for name in ("_core.pyi", "_build_info.pyi"):
        assert (PACKAGE / name).is_file()
