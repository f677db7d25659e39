"""What is always the same in texts with names and numbers in them.

A host translates whole texts of elements, so the page shows each such phrase as an element of its
own, and localizations/ has them like all other texts.
"""

from __future__ import annotations

import html
import re

PRECISION = (
    "precision fp32 was asked for",
    "precision bf16 was asked for",
    "precision fp16 was asked for",
    "this CPU has no instructions for bf16, which would be several times slower",
    "measured here, bf16 is",
    "times as fast as fp32 in convolutions and",
    "times in matrix products",
    "fp16 is fastest on this accelerator",
)
"""Why the engine computes with it, in core/tensor/device.cpp."""
MEMORY = (
    "everything stays loaded",
    "layers are read when they are needed",
    "parts are loaded when they are needed",
)
"""Of a memory plan, in core/pipelines/memory/memory_plan.cpp."""
PROBLEMS = (
    "There is no Kandinsky model. Looked in:",
    "Download one with Get models, below.",
    "Kandinsky needs torch, which this Python does not have.",
    "The Kandinsky engine is not built for torch",
    "and Python",
    "Restart the web UI to build it, or run",
    "which shows what is missing, and press Reload UI.",
    "The Kandinsky engine cannot be loaded:",
    "it was built for torch",
    "but this Python has torch",
    "Install it again with this Python:",
    "in the extension's folder (a restart of the web UI does that) uses a wheel that fits or "
    "builds it;",
    "in the repository builds it.",
)
BUILDING = ("beginning", "configuring", "compiling", "trying the engine", "taking")
"""What an installer says it is at, see install.py."""
MODELS = (
    *("Demo model", "Demo model of", "inpainting", "works beside"),
    *("needs the prior of", "included in the source, in"),
    "this version supports only",
)
"""Of the known models, in kandinsky_engine.get."""
DOWNLOADS = (
    "time left:",
    "about",
    "checking",
    "partly:",
    "cannot be downloaded: choose a model.",
    "is being downloaded: wait, or pause it.",
    "is cancelled; unfinished files are removed.",
    "is downloaded to",
    "The refresh button beside the model shows it.",
    "is paused. Download resumes it.",
    "Press Download to try again.",
    "This page is open to others, so models can be downloaded only on the command line, in the "
    "extension's folder:",
)
FAILURES = (
    "is no address:",
    "an address must not hold a name or a password; use HF_TOKEN",
    "is not allowed: only https, or http on this machine itself",
    "HF_TOKEN holds characters that no token has",
    "HF_HUB_OFFLINE is set, so nothing is downloaded: unset it first",
    "names no size of",
    "names no hash of",
    "so what it sends could not be checked. A proxy's login page answers so, and a server that is "
    "not a hub: check HF_ENDPOINT and the proxy",
    "answers",
    "it does not accept the token in HF_TOKEN for this repository",
    "it needs a token: set the environment variable HF_TOKEN",
    "the file does not exist there. Another endpoint may have it (HF_ENDPOINT)",
    "the proxy needs a name and a password (HTTPS_PROXY)",
    "redirect loop",
    "it does not have the rest of the file. Cancel the download and start it again",
    "Try again later",
    "the server's certificate is invalid:",
    "Behind a proxy that inspects TLS, set SSL_CERT_FILE to its certificate",
    "the server has sent nothing for",
    "the connection to",
    "failed:",
    "Check the connection and the proxy (HTTPS_PROXY)",
    "the server sends it with the encoding",
    "which was not requested",
    "asked for bytes",
    "the server sends",
    "Cancel the download and start it again, or use another endpoint",
    "unexpected status",
    "from the server",
    "bytes, expected",
    "it is not the file. A proxy's login page can be the reason",
    "the server has",
    "it is another file",
    "are free",
    "are needed: free disk space, or choose another folder",
    "the received file does not have the hash",
    "the file is corrupt, or another one. It is removed; try again, or use another endpoint",
    "the connection broke off, bytes received:",
    "the server sends more than the",
    "bytes that the file has: it is not the file",
    "Given up after",
    "tries; what is there is kept",
    "the server asks to wait",
    "Trying again in",
    "another download is writing into",
    "wait for it or stop it",
    "The disk is full",
    "the file",
    "free some, and go on; what is there is kept.",
    "cannot be written:",
    "This is a bug:",
)
"""Why nothing, or no more, is downloaded, in kandinsky_engine.get."""
ALL = (*PRECISION, *MEMORY, *PROBLEMS, *BUILDING, *MODELS, *DOWNLOADS, *FAILURES)
_FOUND = re.compile(
    # Not within a path, an address or a name, whose words are none of ours.
    r"(?<![\w/\\.-])("
    + "|".join(map(re.escape, sorted(ALL, key=len, reverse=True)))
    + r")(?![\w/\\-]|\.\w)"
)


def marked(text: str) -> str:
    """HTML of the text, with its phrases as elements."""
    parts = _FOUND.split(text)
    return "".join(
        f"<span>{html.escape(part)}</span>" if place % 2 else html.escape(part)
        for place, part in enumerate(parts)
    )
