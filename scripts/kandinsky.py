"""What the host loads: finds the extension's package and names its script.

Everything else is in `extension/`.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "extension"))
try:
    from kandinsky_ext.host.callbacks import register
    from kandinsky_ext.script import KandinskyScript
finally:
    sys.path.pop(0)

# The host forgets all callbacks, and runs this file again, when its page is reloaded.
register()

__all__ = ["KandinskyScript"]
