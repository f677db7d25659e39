"""Finds Kandinsky models on the disk and downloads missing ones.

Needs only Python's standard library, no torch or engine, and all imports are
relative: the extension loads this folder as a separate package if no engine is built. There is no
network access before a download is started, and then only to the endpoint and its redirects.

known: the table of repositories and their files. found: installed models. hub: the protocol.
download: a download in a thread that can be watched, paused and resumed. cli: the
command `python -m kandinsky_engine get`.
"""
