"""The hub's protocol: what a file is, and its bytes from any place on.

    HEAD <endpoint>/<repository>/resolve/<revision>/<path>     size, hash and commit, in headers
    GET  <endpoint>/<repository>/resolve/<revision>/<path>     the bytes, mostly after a redirect

The endpoint is $HF_ENDPOINT, or the hub itself. Redirects are followed where they lead: large files
lie at other hosts, which only the endpoint knows. They have to be https, unless the endpoint itself
is on this machine. $HF_TOKEN goes to the endpoint and nowhere else. Proxies are those of
$HTTPS_PROXY and its like.
"""

from __future__ import annotations

import email.utils
import os
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

HUB = "https://huggingface.co"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers that another try may better."""
_REDIRECTS = (301, 302, 303, 307, 308)


class HubError(Exception):
    """Something cannot be had; the message names it and says what to do."""


class NotThereError(HubError):
    """The repository has no such file."""


class PassingError(HubError):
    """What another try may better; `wait` is what the server asks for, in seconds."""

    def __init__(self, text: str, wait: float = 0) -> None:
        super().__init__(text)
        self.wait = wait


@dataclass(frozen=True)
class Remote:
    """A file as the server describes it."""

    size: int
    algorithm: str
    """"sha256" of the content, or "git": SHA-1 of a small file as git stores it."""
    digest: str
    commit: str
    """The revision's; "" if the server does not say."""


@dataclass(frozen=True)
class Answer:
    """The bytes of a file from `start` on."""

    stream: HTTPResponse
    start: int


def check_address(address: str, *, http_here: bool = True) -> None:
    """Raises HubError for an address that is not taken. http_here: whether this machine's own may
    do without TLS.
    """
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise HubError(f"{address} is no address: {error}") from None
    if parts.username is not None or parts.password is not None:
        raise HubError("an address must not hold a name or a password; use HF_TOKEN")
    if parts.scheme == "https" and host:
        return
    if not (http_here and parts.scheme == "http" and host in _LOOPBACK):
        raise HubError(f"{address} is not allowed: only https, or http on this machine itself")


class Hub:
    """One endpoint. Holds no connection, so it can be used from any thread."""

    def __init__(self, endpoint: str = HUB, token: str = "", stall_seconds: float = 30) -> None:
        """stall_seconds: how long to wait without a byte. Raises HubError."""
        check_address(endpoint)
        self.endpoint = endpoint.rstrip("/")
        self._origin = _origin(self.endpoint)
        if token and not re.fullmatch(r"[!-~]+", token):
            raise HubError("HF_TOKEN holds characters that no token has")
        self._token = token
        self._stall = stall_seconds
        self._opener = build_opener(_Redirects(self))

    @classmethod
    def of_environment(
        cls, endpoint: str = "", environ: Mapping[str, str] = os.environ, **more: Any
    ) -> Hub:
        """endpoint: instead of $HF_ENDPOINT. Raises HubError, also where the hub is to be left
        alone.
        """
        if environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
            raise HubError("HF_HUB_OFFLINE is set, so nothing is downloaded: unset it first")
        endpoint = endpoint or environ.get("HF_ENDPOINT", "") or HUB
        return cls(endpoint, environ.get("HF_TOKEN", "").strip(), **more)

    def describe(self, repository: str, revision: str, path: str) -> Remote:
        """Size, hash and commit of a file. Raises HubError."""
        request = self._request("HEAD", repository, revision, path)
        what = f"{repository}/{path}"
        try:
            with self._opener.open(request, timeout=self._stall) as answer:
                headers = answer.headers
        except HTTPError as error:
            error.close()
            if error.code not in _REDIRECTS or not _is_described(error.headers):
                raise self._refusal(error, what) from None
            # The endpoint knows the file that it sends us elsewhere for.
            headers = error.headers
        except (OSError, HTTPException, ValueError) as error:
            raise self._failure(error, what) from None
        return self._remote(headers, what)

    def open(self, repository: str, revision: str, path: str, start: int, size: int) -> Answer:
        """Its bytes from `start` on, or from 0 where the server knows no ranges. size: what the
        whole file has to have. Raises HubError.
        """
        request = self._request("GET", repository, revision, path)
        if start:
            # No If-Range: the ETag of the host that has the bytes is not that of the endpoint, and
            # a changed file is found by its hash.
            request.add_header("Range", f"bytes={start}-")
        what = f"{repository}/{path}"
        try:
            stream = self._opener.open(request, timeout=self._stall)
        except HTTPError as error:
            error.close()
            raise self._refusal(error, what) from None
        except (OSError, HTTPException, ValueError) as error:
            raise self._failure(error, what) from None
        try:
            return Answer(stream, _start(stream, start, size, what))
        except HubError:
            stream.close()
            raise

    def read(self, answer: Answer, most: int, what: str) -> bytes:
        """Some of the bytes, at most so many; none at the end. Raises HubError."""
        try:
            return answer.stream.read1(most)
        except (OSError, HTTPException, ValueError) as error:
            raise self._failure(error, what) from None

    def authorize(self, request: Request, address: str) -> None:
        """Adds the token if the address is the endpoint's own."""
        if self._token and _origin(address) == self._origin:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")

    def _request(self, method: str, repository: str, revision: str, path: str) -> Request:
        address = f"{self.endpoint}/{quote(repository)}/resolve/{quote(revision)}/{quote(path)}"
        # What is packed on the way cannot be resumed.
        headers = {"Accept-Encoding": "identity", "User-Agent": "kandinsky_engine"}
        request = Request(address, headers=headers, method=method)
        self.authorize(request, address)
        return request

    def _remote(self, headers: Message, what: str) -> Remote:
        etag = headers.get("X-Linked-Etag") or headers.get("ETag") or ""
        found = re.fullmatch(r'(?:W/)?"?([0-9a-f]{64}|[0-9a-f]{40})"?', etag.strip())
        size = headers.get("X-Linked-Size") or headers.get("Content-Length") or ""
        if found is None or not size.isdecimal():
            raise HubError(
                f"{self.endpoint} names no {'size' if found else 'hash'} of {what}, so what it "
                "sends could not be checked. A proxy's login page answers so, and a server that "
                "is not a hub: check HF_ENDPOINT and the proxy"
            )
        commit = headers.get("X-Repo-Commit") or ""
        if not re.fullmatch(r"[0-9a-f]{40}", commit):
            commit = ""
        return Remote(int(size), "sha256" if len(found[1]) == 64 else "git", found[1], commit)

    def _refusal(self, error: HTTPError, what: str) -> HubError:
        said = f"{what}: {self.endpoint} answers {error.code} {error.reason}".rstrip()
        if error.code in (401, 403):
            todo = (
                "it does not accept the token in HF_TOKEN for this repository"
                if self._token
                else "it needs a token: set the environment variable HF_TOKEN"
            )
            return HubError(f"{said}: {todo}")
        if error.code == 404:
            return NotThereError(
                f"{said}: the file does not exist there. Another endpoint may have it (HF_ENDPOINT)"
            )
        if error.code == 407:
            return HubError(f"{said}: the proxy needs a name and a password (HTTPS_PROXY)")
        if error.code in _REDIRECTS:
            return HubError(f"{said}: redirect loop")
        if error.code == 416:
            return HubError(
                f"{said}: it does not have the rest of the file. Cancel the download and start it "
                "again"
            )
        if error.code in _PASSING:
            return PassingError(f"{said}. Try again later", _retry_after(error.headers))
        return HubError(said)

    def _failure(self, error: Exception, what: str) -> HubError:
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, HubError):
            return reason
        if isinstance(reason, ssl.SSLCertVerificationError):
            return HubError(
                f"{what}: the server's certificate is invalid: {reason.verify_message}. "
                "Behind a proxy that inspects TLS, set SSL_CERT_FILE to its certificate"
            )
        if isinstance(reason, TimeoutError):
            return PassingError(f"{what}: the server has sent nothing for {self._stall:g} s")
        return PassingError(
            f"{what}: the connection to {self.endpoint} failed: {reason or type(reason).__name__}. "
            "Check the connection and the proxy (HTTPS_PROXY)"
        )


class _Redirects(HTTPRedirectHandler):
    """Follows where check_address agrees, and takes the token along to the endpoint only."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    # Python 3.10 has none.
    http_error_308 = HTTPRedirectHandler.http_error_302

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if req.get_method() == "HEAD" and _is_described(headers):
            return None
        check_address(newurl, http_here=self._hub.endpoint.startswith("http:"))
        kept = {name: value for name, value in req.headers.items() if name != "Host"}
        request = Request(newurl, headers=kept, method=req.get_method(), unverifiable=True)
        self._hub.authorize(request, newurl)
        return request


def _is_described(headers: Message) -> bool:
    """Whether a redirect says all about the file that it leads to."""
    return bool(headers.get("X-Linked-Etag")) and bool(headers.get("X-Linked-Size"))


def _origin(address: str) -> tuple[str, str, int]:
    parts = urlsplit(address)
    return (
        parts.scheme,
        parts.hostname or "",
        parts.port or (443 if parts.scheme == "https" else 80),
    )


def _start(answer: HTTPResponse, start: int, size: int, what: str) -> int:
    """Where the bytes of an answer begin. Raises HubError for an answer that does not fit."""
    encoding = answer.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise HubError(
            f"{what}: the server sends it with the encoding {encoding}, which was not requested"
        )
    begins = 0
    if answer.status == 206:
        said = answer.headers.get("Content-Range", "")
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", said.strip())
        if (
            found is None
            or int(found[1]) != start
            or int(found[2]) != size - 1
            or found[3] not in ("*", str(size))
        ):
            raise HubError(
                f'{what}: asked for bytes {start}-{size - 1}/{size}, the server sends "{said}". '
                "Cancel the download and start it again, or use another endpoint"
            )
        begins = start
    elif answer.status != 200:
        raise HubError(f"{what}: unexpected status {answer.status} from the server")
    length = answer.headers.get("Content-Length")
    if length is not None and length != str(size - begins):
        raise HubError(
            f"{what}: the server sends {length} bytes, expected {size - begins}: it is not "
            "the file. A proxy's login page can be the reason"
        )
    return begins


def _retry_after(headers: Message) -> float:
    """Seconds or a date."""
    said = (headers.get("Retry-After") or "").strip()
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return 0.0
