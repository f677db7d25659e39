"""Scripts of others that ask for the parts of a Stable Diffusion model."""

from __future__ import annotations

from typing import Any

from kandinsky_ext.errors import UserError

REFUSED = ("img2img alternative test",)
"""Those that run its network themselves."""
CHANGING_NETWORKS = (
    *("controlnet", "freeu", "dynamicthresholding", "dynamic thresholding", "kohya hrfix"),
    *("latentmodifier", "multidiffusion", "perturbedattentionguidance", "hypertile"),
    *("selfattentionguidance", "stylealign", "radialattention", "rescalecfg", "mahiro"),
)
"""How the titles of those begin that change it for a run, as a host's own or as extensions."""

SOFT_INPAINTING = "soft inpainting"
"""A host's own. It hooks into the steps of its samplers, and blends once more at the end."""


def check(p: Any) -> None:
    """Raises UserError if the script that is chosen cannot work with Kandinsky."""
    title = _chosen(p)
    if title in REFUSED:
        raise UserError(
            f'"{title}" runs the network of a Stable Diffusion model itself, and Kandinsky has '
            "none. Choose another script, or switch Kandinsky off."
        )


def remark(p: Any) -> str | None:
    """Names those that are on for this run and have no effect on it."""
    found = [title for title, arguments in _always_on(p) if _changes(title) and _is_on(arguments)]
    return f"Extensions: Kandinsky ignores {', '.join(found)}." if found else None


def soft_inpainting_remark(p: Any) -> str | None:
    """What of soft inpainting has no effect on a run that inpaints, where it is on."""
    if getattr(p, "image_mask", None) is None or not any(
        title.lower() == SOFT_INPAINTING and _is_on(arguments) for title, arguments in _always_on(p)
    ):
        return None
    return (
        "Soft inpainting: Kandinsky's steps blend by the mask alone. Schedule bias, Preservation "
        "strength and Transition contrast boost have no effect on them."
    )


def _chosen(p: Any) -> str:
    """The title of the script in the dropdown, which the first argument counts from 1."""
    listed = getattr(getattr(p, "scripts", None), "selectable_scripts", ())
    place = next(iter(getattr(p, "script_args", None) or ()), 0)
    if not isinstance(place, int) or not 0 < place <= len(listed):
        return ""
    return str(listed[place - 1].title())


def _always_on(p: Any) -> list[tuple[str, Any]]:
    """Titles, and the arguments for each."""
    arguments = getattr(p, "script_args", None) or ()
    return [
        (str(script.title()), arguments[script.args_from or 0 : script.args_to or 0])
        for script in getattr(getattr(p, "scripts", None), "alwayson_scripts", ())
    ]


def _changes(title: str) -> bool:
    return title.lower().startswith(CHANGING_NETWORKS)


def _is_on(arguments: Any) -> bool:
    """By a switch that comes first, or by those of units, which programs send as dictionaries."""
    return any(
        (argument is True and place == 0)
        or getattr(argument, "enabled", False) is True
        or (isinstance(argument, dict) and argument.get("enabled") is True)
        for place, argument in enumerate(arguments)
    )
