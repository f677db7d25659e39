"""The little JavaScript of the page.

gradio 3 and 4 call a listener's script by different names. It also polls, which generators cannot
do everywhere: a page without gradio's queue, which hosts have a flag for, does not even start.
"""

from __future__ import annotations

import inspect
import json
from typing import Any

_ROOT = "(window.gradioApp ? gradioApp() : document)"


def on_click(button: Any, script: str, **listener: Any) -> None:
    """`script`: a JavaScript function that is called first, or instead where there is no `fn`."""
    takes = inspect.signature(button.click).parameters
    listener["js" if "js" in takes else "_js"] = script
    button.click(**listener)


def watch(status_id: str, refresh_id: str, mark: str) -> str:
    """Presses a button each second while the status has an element of the class `mark`, and for
    some seconds more: a busy server takes its time to begin.
    """
    return f"""(...values) => {{
  const root = {_ROOT}, timers = (window.kandinskyTimers ??= {{}}), id = {json.dumps(status_id)};
  let idle = 0;
  timers[id] ??= setInterval(() => {{
    const runs = root.querySelector("#" + id + " .{mark}");
    idle = runs ? 0 : idle + 1;
    if (idle > 20) {{ clearInterval(timers[id]); delete timers[id]; return; }}
    root.querySelector("#" + {json.dumps(refresh_id)})?.click();
  }}, 1000);
  return values;
}}"""


def set_fields(tab: str, offer_id: str) -> str:
    """Writes the numbers of an offer into the host's width, height and CFG scale, and opens the tab
    that img2img has for them beside "Resize by".
    """
    return f"""() => {{
  const root = {_ROOT};
  const {{size, cfg}} = root.querySelector("#" + {json.dumps(offer_id)} + " [data-size]").dataset;
  root.querySelector("#{tab}_tabs_resize button")?.click();
  const fields = {{width: size, height: size, cfg_scale: cfg}};
  for (const [name, value] of Object.entries(fields)) {{
    for (const input of root.querySelectorAll("#{tab}_" + name + " input")) {{
      input.value = value;
      input.dispatchEvent(new Event("input", {{bubbles: true}}));
    }}
  }}
}}"""
