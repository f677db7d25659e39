"""All checks, in the order in which they are made: those by the web API, then those on the page."""

from __future__ import annotations

from host_checks import (
    beside,
    carrying,
    entry,
    generating,
    inside,
    looks,
    other_scripts,
    painting,
    refusing,
    running,
    staying,
    weights,
)

SUBJECTS = (
    *(entry, inside, generating, other_scripts, beside, painting, weights, running),
    *(carrying, refusing),
    # These load the page anew, or look back at what has been done to it.
    *(looks, staying),
)
BY_API = [check for subject in SUBJECTS for check in subject.by_api.all]
ON_PAGE = [check for subject in SUBJECTS for check in subject.on_page.all]
