"""The only place that imports the host's `modules.*`, or asks which host this is."""
