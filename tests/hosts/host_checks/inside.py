"""The host's modules: what the extension and the tests' stand-in take them to be."""

from __future__ import annotations

from checking import Checks, Context, require
from signatures import differs, does_not_bind, stand_in, used
from stand_in_own import is_at, real_name

by_api, on_page = Checks(), Checks()


@by_api.add
def names_the_extension_uses(context: Context) -> str:
    """All that the extension names of the host's modules is there, and its calls are valid."""
    uses = used(context.extension / "extension" / "kandinsky_ext")
    real = context.host.post("/kandinsky-probe/objects", sorted(uses.places))
    wrong = [
        f"{name} ({place})"
        for name, place in uses.places.items()
        if real[name] is None and not any(is_at(name, one) for one in uses.optional)
    ]
    for call in uses.calls:
        parameters = (real[call.name] or {}).get("parameters")
        reason = does_not_bind(call, parameters) if parameters is not None else None
        if reason:
            wrong.append(f"{call.name} {reason} ({call.where})")
    require(not wrong, "; ".join(wrong))
    return f"{len(uses.places)} names, {len(uses.calls)} calls"


@by_api.add
def stand_in_has_the_real_signatures(context: Context) -> str:
    """What the tests' stand-in for a host declares, the host declares so, too."""
    ours = {
        name: (f"modules.{real}", parameters)
        for name, parameters in stand_in(context.stand_in)
        # What of a loop is a host's own, and what it has for that, is nobody's module.
        if not is_at(name, "loop") and (real := real_name(name, context.kind))
    }
    real = context.host.post("/kandinsky-probe/objects", [theirs for theirs, _ in ours.values()])
    wrong = []
    for name, (theirs, parameters) in ours.items():
        if real[theirs] is None:
            wrong.append(f"{name}: no {theirs}")
        elif parameters and real[theirs]["parameters"] is not None:
            difference = differs(parameters, real[theirs]["parameters"])
            if difference:
                wrong.append(f"{name}: {difference}")
    require(not wrong, "; ".join(wrong))
    return f"{len(ours)} functions, classes and methods"
