"""What the host loads for the always-on panel; see kandinsky.py.

A file of its own, since the host keeps defaults by file and label.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "extension"))
try:
    from kandinsky_ext.always_on import KandinskyForOtherScripts
    from kandinsky_ext.host.always_on import hook_close
finally:
    sys.path.pop(0)

hook_close()

__all__ = ["KandinskyForOtherScripts"]
