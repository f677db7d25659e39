"""Errors whose message is meant for the person at the web page."""


class UserError(Exception):
    """Something the person can mend: the message says what, and how."""
