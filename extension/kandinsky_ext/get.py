"""kandinsky_engine.get, as a package of ours: the page finds and downloads models where no engine
is built, and importing kandinsky_engine needs one.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kandinsky_engine.get import download, found, hub, known, words
else:
    from kandinsky_ext.engine_folder import ROOT

    # What has a path is a package: `import kandinsky_ext.get.found` looks there.
    __path__ = [str(ROOT / "bindings" / "kandinsky_engine" / "get")]

    from kandinsky_ext.get import download, found, hub, known, words

__all__ = ["download", "found", "hub", "known", "words"]
