"""Kandinsky in an Automatic1111-style host: the part that knows Kandinsky.

Everything outside `host` can be imported, and is tested, without a host.
"""
