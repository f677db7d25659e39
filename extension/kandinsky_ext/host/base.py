"""The host's base class of all scripts, and its word for those that are always on."""

from modules.scripts import AlwaysVisible, Script

__all__ = ["AlwaysVisible", "Script"]
