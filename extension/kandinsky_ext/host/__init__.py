"""The only place that imports the host's `modules.*`, or asks which host this is."""

from importlib.util import find_spec

# A host that draws a run's noise has a loop that an engine can take part in. SD.Next has none: it
# leaves the whole run to a pipeline of diffusers.
if find_spec("modules.rng") is None:
    raise ImportError(
        "Kandinsky cannot run in this web UI, which uses diffusers' pipelines, as SD.Next "
        "does. It runs in A1111, Forge, Forge Neo and reForge."
    )
