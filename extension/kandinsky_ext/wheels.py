"""Finds a wheel of the engine that fits this Python, this torch and this system, and unpacks it.

Used by install.py, which runs at each start of the host, so it imports little. The wheels are those
of bindings/wheel/make_wheel.py:

    kandinsky_engine-<version>+torch2.6.oldabi-cp312-cp312-manylinux_2_34_x86_64.whl

`oldabi` stands there for a torch with the old std::string. A wheel is unpacked, not installed: pip
would look after its dependencies, and torch is the host's.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from kandinsky_ext.engine_folder import PACKAGE, python_tag

LARGEST_WHEEL = 64 << 20
LARGEST_UNPACKED = 256 << 20
LARGEST_PAGE = 4 << 20
CHUNK = 256 << 10
PATIENCE_SECONDS = 30
"""Without a byte from the server."""
SHOWN_WHEELS = 12

OnBytes = Callable[[int, int], None]
"""Told how many bytes are there, and of how many: 0 if the server does not say."""


class WheelError(Exception):
    """A place of wheels or a wheel cannot be used; the message says why."""


def local_version(torch_minor: str, cxx11_abi: bool) -> str:
    """What the wheel's version says of its torch, such as "torch2.6.oldabi"."""
    return f"torch{torch_minor}" + ("" if cxx11_abi else ".oldabi")


def abi_tag() -> str:
    """Such as "cp313t" for a Python without the global lock."""
    return python_tag() + getattr(sys, "abiflags", "")


def glibc_version() -> tuple[int, ...] | None:
    try:
        found = re.fullmatch(r"glibc (\d+)\.(\d+).*", os.confstr("CS_GNU_LIBC_VERSION") or "")
    except (AttributeError, ValueError, OSError):  # another system or another C library
        return None
    return tuple(map(int, found.groups())) if found else None


def runs_here(tag: str) -> bool:
    """By a platform's tag, such as "manylinux_2_34_x86_64"."""
    found = re.fullmatch(r"manylinux_(\d+)_(\d+)_(\w+)", tag)
    here = glibc_version()
    return (
        found is not None
        and here is not None
        and found[3] == platform.machine()
        and (int(found[1]), int(found[2])) <= here
    )


@dataclass(frozen=True)
class Offer:
    """A wheel that lies somewhere."""

    name: str
    place: str
    """A file's path or an address."""
    sha256: str = ""
    """Empty: not pinned."""


def is_address(source: str) -> bool:
    return re.match(r"[a-z][a-z0-9+.-]*://", source, re.IGNORECASE) is not None


def fitting(named: str, table: Path, version: str, say: Callable[[str], None]) -> Iterator[Offer]:
    """Those in the folder or on the index that is named, if any, then those in a table of released
    ones. Says why there are none where the user named a place.
    """
    if named:
        try:
            seen = offers(named)
        except WheelError as error:
            say(f"{error}.")
        else:
            found = [offer for offer in seen if fits(offer.name, version)]
            yield from found
            if not found:
                say(
                    f"no wheel in {named} fits. Wanted: {wanted(version)}. "
                    f"Found: {listed([offer.name for offer in seen])}."
                )
    yield from (offer for offer in released(table) if fits(offer.name, version))


def fits(name: str, version: str) -> bool:
    """Whether a wheel has this version, local part included, and runs in this Python and system."""
    found = re.fullmatch(rf"{PACKAGE}-([^-]+)-([^-]+)-([^-]+)-([^-]+)\.whl", name)
    return (
        found is not None
        and found.group(1, 2, 3) == (version, python_tag(), abi_tag())
        and any(map(runs_here, found[4].split(".")))
    )


def wanted(version: str) -> str:
    here = glibc_version()
    system = f"this system has glibc {here[0]}.{here[1]}" if here else "this system has no glibc"
    return (
        f"{PACKAGE}-{version}-{python_tag()}-{abi_tag()}-manylinux_*_{platform.machine()}.whl; "
        f"{system}"
    )


def listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_WHEELS} more" if len(names) > SHOWN_WHEELS else ""
    return ", ".join(names[:SHOWN_WHEELS]) + more if names else "none"


def offers(source: str) -> list[Offer]:
    """The wheels in a folder, or on an index as pip takes it. Raises WheelError."""
    if is_address(source):
        return _index_offers(source)
    try:
        files = sorted(Path(source).expanduser().iterdir())
    except OSError as error:
        raise WheelError(f"the folder of wheels {source} cannot be read: {error}") from None
    return [Offer(file.name, str(file)) for file in files if file.suffix == ".whl"]


def released(table: Path) -> list[Offer]:
    """The wheels of a file of lines "SHA-256 address"."""
    lines = (line.split() for line in table.read_text(encoding="utf-8").splitlines())
    return [
        Offer(_file_name(words[1]), words[1], words[0].lower())
        for words in lines
        if words and not words[0].startswith("#")
    ]


def unpack(offer: Offer, folder: Path, on_bytes: OnBytes) -> None:
    """Puts the wheel's files into a new folder. Raises WheelError.

    What is downloaded has no name on the disk, so that nothing of it outlives this process.
    """
    try:
        with tempfile.TemporaryFile(dir=folder.parent) as download:
            if is_address(offer.place):
                _fetch(offer.place, download, LARGEST_WHEEL, on_bytes)
            else:
                _copy(Path(offer.place), download)
            _check_hash(offer, download)
            _extract(download, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise WheelError(f"{offer.place} is truncated or corrupt: {error}") from None


def _file_name(address: str) -> str:
    return unquote(urlsplit(address).path.rpartition("/")[2])


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links += [value for name, value in attrs if name == "href" and value]


def _index_offers(index: str) -> list[Offer]:
    page = f"{index.rstrip('/')}/{PACKAGE.replace('_', '-')}/"
    with tempfile.TemporaryFile() as file:
        at = _fetch(page, file, LARGEST_PAGE, lambda _done, _total: None)
        file.seek(0)
        parser = _Links()
        parser.feed(file.read().decode("utf-8", errors="replace"))
    found = []
    for link in parser.links:
        address, fragment = urldefrag(urljoin(at, link))
        pinned = re.fullmatch(r"sha256=([0-9a-f]{64})", fragment, re.IGNORECASE)
        if (name := _file_name(address)).endswith(".whl"):
            found.append(Offer(name, address, pinned[1].lower() if pinned else ""))
    return found


def _check_address(address: str) -> None:
    parts = urlsplit(address)
    if parts.username is not None:
        raise WheelError("an address of wheels must not contain a name or a password")
    is_here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here):
        raise WheelError(f"{address} is not allowed: only https, or http on this machine")


class _Redirects(HTTPRedirectHandler):
    """Follows where an address itself would be taken."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: object, newurl: str
    ) -> Request | None:
        _check_address(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _fetch(address: str, file: IO[bytes], most: int, on_bytes: OnBytes) -> str:
    """Writes what is at an address into a file. Gives the address it was found at in the end."""
    try:
        _check_address(address)
        with build_opener(_Redirects).open(address, timeout=PATIENCE_SECONDS) as answer:
            total = int(answer.headers.get("Content-Length") or 0)
            done = 0
            while chunk := answer.read(CHUNK):
                done += len(chunk)
                if max(done, total) > most:
                    raise WheelError(f"{address} is larger than {most >> 20} MB")
                file.write(chunk)
                on_bytes(done, total)
            if done < total:
                raise WheelError(f"{address}: the connection broke after {done} of {total} bytes")
            return str(answer.geturl())
    except HTTPError as error:
        raise WheelError(f"{address} cannot be read: {error.code} {error.reason}") from None
    except (OSError, ValueError, HTTPException) as error:
        raise WheelError(f"{address} cannot be read: {error}") from None


def _copy(path: Path, file: IO[bytes]) -> None:
    try:
        if path.stat().st_size > LARGEST_WHEEL:
            raise WheelError(f"{path} is larger than {LARGEST_WHEEL >> 20} MB")
        file.write(path.read_bytes())
    except OSError as error:
        raise WheelError(f"{path} cannot be read: {error}") from None


def _check_hash(offer: Offer, file: IO[bytes]) -> None:
    file.seek(0)
    digest = hashlib.sha256(file.read()).hexdigest()
    if offer.sha256 and digest != offer.sha256:
        raise WheelError(
            f"{offer.place} has the SHA-256 {digest}, expected {offer.sha256}: it is not "
            "the file that was released"
        )


def _extract(file: IO[bytes], folder: Path) -> None:
    """Writes plain files below PACKAGE and the wheel's own folder, and nothing else."""
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if sum(member.file_size for member in members) > LARGEST_UNPACKED:
            raise WheelError(f"the wheel unpacks to more than {LARGEST_UNPACKED >> 20} MB")
        for member in members:
            is_ours = re.match(rf"{PACKAGE}(-[^/]+\.dist-info)?/", member.filename)
            if not is_ours or ".." in member.filename.split("/"):
                raise WheelError(f"the wheel has an unexpected file: {member.filename}")
            target = folder / member.filename
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(member))
