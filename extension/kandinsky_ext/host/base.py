"""The host's base class of all scripts."""

from modules.scripts import Script

__all__ = ["Script"]
