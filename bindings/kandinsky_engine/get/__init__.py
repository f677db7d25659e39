"""Finds Kandinsky models on the disk and downloads those that are not there.

Nothing here needs torch, the engine, or anything but Python's own library, and all imports are
relative: the extension loads this folder as a package of its own where no engine is built. Nothing
is contacted before a download is started, and then only the endpoint and where it redirects to.

known: the table of repositories and their files. found: what lies where. hub: the protocol.
download: a download that goes on in a thread, and can be watched, paused and resumed. cli: the
command `python -m kandinsky_engine get`.
"""
