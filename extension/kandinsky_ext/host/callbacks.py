"""What is hooked into the host outside the script itself."""

from __future__ import annotations

from modules import script_callbacks

from kandinsky_ext import infotext


def register() -> None:
    """Once after each time that the host has forgotten its callbacks."""
    script_callbacks.on_infotext_pasted(infotext.on_pasted)
