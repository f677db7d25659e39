"""A download that goes on in a thread of its own, and can be watched, paused, resumed, cancelled.

A file is written as <name>.<first digits of its hash>.part, checked, and renamed: a file of its
final name is whole. What such a part holds is taken up again after a pause, an error, a crash or a
restart; the hash in its name tells whether it still belongs to the file that is wanted. Two
processes do not write into one folder: its lock file is held meanwhile.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from . import found
from .hub import Hub, HubError, NotThereError, PassingError, Remote
from .known import MAIN, File, Model, Part
from .words import gigabytes

if TYPE_CHECKING:
    from hashlib import _Hash

CHUNK = 1 << 20
LOCK = ".kandinsky-get.lock"
WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""What NFS without its lock service, and some of FUSE's file systems, answer."""
DISK_MARGIN = 256 << 20
"""What is left free on a disk."""
SPEED_SECONDS = 10
"""Over which a speed is measured."""

State = Literal["idle", "checking", "downloading", "paused", "done", "failed"]


@dataclass(frozen=True)
class Patience:
    """When to try again. A try that brought bytes does not count."""

    tries: int = 6
    first_wait: float = 1
    """Seconds; doubled with each try."""
    longest_wait: float = 120
    """Longer than this nobody waits, even if a server asks for it."""


@dataclass(frozen=True)
class Progress:
    """How far a download is. Numbers are bytes and seconds."""

    state: State
    file: str
    """At work."""
    done: int
    total: int
    """0: not known yet."""
    speed: float
    seconds_left: float | None
    message: str
    """What went wrong, or what is waited for; "" for nothing."""

    @property
    def is_running(self) -> bool:
        return self.state in ("checking", "downloading")


class _Stopped(Exception):  # noqa: N818  no error
    """Somebody wants the download to stop."""


@dataclass
class _Job:
    """One file to fetch."""

    part: Part
    file: File
    target: Path
    remote: Remote
    revision: str

    @property
    def what(self) -> str:
        return f"{self.part.repository}/{self.file.path}"

    @property
    def piece(self) -> Path:
        name = f"{self.target.name}.{self.remote.digest[:12]}{found.PART_SUFFIX}"
        return self.target.with_name(name)


class Download:
    """Gets the files of a model that a folder lacks."""

    def __init__(
        self, model: Model, folder: Path, hub: Hub, patience: Patience | None = None
    ) -> None:
        """folder: each of the model's parts becomes a folder in it."""
        self.model = model
        self.folder = folder
        self._hub = hub
        self._patience = patience or Patience()
        self._stop = threading.Event()
        self._again = False
        """Whether it is to go on when it has stopped."""
        self._is_cancelling = False
        # Not the thread's join: interrupted by Ctrl-C, it takes the thread for ended ever after.
        self._ended = threading.Event()
        self._ended.set()
        self._lock = threading.Lock()
        self._state: State = "idle"
        self._file = self._message = ""
        self._done = self._total = 0
        self._seen: deque[tuple[float, int]] = deque()

    def start(self) -> None:
        """Begins, or goes on where it ended. Does nothing while it runs or is cancelled; while it
        is pausing, it goes on as soon as it has.
        """
        with self._lock:
            if self._is_cancelling:
                return
            if self._ended.is_set():
                self._begin()
            else:
                self._again = self._stop.is_set()

    def _begin(self) -> None:
        """With the lock held."""
        self._ended.clear()
        self._stop.clear()
        self._again = False
        self._state, self._message, self._done, self._total = "checking", "", 0, 0
        try:
            threading.Thread(target=self._run, name="kandinsky-get", daemon=True).start()
        except RuntimeError as error:  # the system starts no more
            self._state, self._message = "failed", f"{error}."
            self._ended.set()

    def pause(self) -> None:
        """Stops soon; what is there stays. At a stalled server it takes until the stall is seen."""
        with self._lock:
            self._again = False
            self._stop.set()

    def cancel(self) -> None:
        """Stops and removes unfinished files; finished ones stay."""
        with self._lock:
            self._is_cancelling, self._again = True, False
            self._stop.set()
        try:
            self.wait()
            self._remove_pieces()
        finally:
            with self._lock:
                self._is_cancelling = False
                self._state, self._message = "idle", ""

    def _remove_pieces(self) -> None:
        for part in self.model.parts:
            folder = self.folder / part.folder
            if not folder.is_dir():
                continue
            with suppress(HubError), _locked(folder):
                for file in part.files:
                    for piece in found.pieces(folder / file.path):
                        piece.unlink(missing_ok=True)

    def wait(self, seconds: float | None = None) -> bool:
        """Until it ends. Returns whether it has."""
        return self._ended.wait(seconds)

    def progress(self) -> Progress:
        now = time.monotonic()
        with self._lock:
            while self._seen and now - self._seen[0][0] > SPEED_SECONDS:
                self._seen.popleft()
            speed = 0.0
            if self._state == "downloading" and self._seen and now > self._seen[0][0]:
                speed = (self._done - self._seen[0][1]) / (now - self._seen[0][0])
            left = (self._total - self._done) / speed if speed > 0 else None
            return Progress(
                self._state, self._file, self._done, self._total, speed, left, self._message
            )

    def _run(self) -> None:
        try:
            self._get()
            self._end("done", "")
        except _Stopped:
            self._end("paused", "")
        except HubError as error:
            self._end("failed", f"{error}.")
        except OSError as error:
            self._end("failed", _disk_error(error))
        except Exception as error:
            self._end("failed", f"This is a bug: {type(error).__name__}: {error}")
            raise

    def _end(self, state: State, message: str) -> None:
        with self._lock:
            self._state, self._message, self._file = state, message, ""
            self._seen.clear()
            if self._again:
                self._begin()
            else:
                self._ended.set()

    def _get(self) -> None:
        with ExitStack() as locks:
            for folder in dict.fromkeys(self.folder / part.folder for part in self.model.parts):
                folder.mkdir(parents=True, exist_ok=True)
                locks.enter_context(_locked(folder))
            jobs = [job for part in self.model.parts for job in self._jobs(part)]
            missing = [job for job in jobs if not self._is_there(job)]
            self._check_disk(missing)
            with self._lock:
                self._state = "downloading"
                self._total = sum(job.remote.size for job in jobs)
                self._done = self._total - sum(job.remote.size for job in missing)
            for job in missing:
                self._fetch(job)

    def _jobs(self, part: Part) -> Iterator[_Job]:
        """All files of a part, described by the table or else by the server."""
        revision = part.revision
        for file in part.files:
            self._show(f"{part.repository}/{file.path}")
            remote = self._describe(part, file, revision)
            if remote is None:
                continue
            if file.size not in (None, remote.size):
                raise HubError(
                    f"{part.repository}/{file.path}: the server has {remote.size} "
                    f"bytes, expected {file.size}: it is another file"
                )
            if revision == MAIN:
                # The branch may move while this goes on.
                revision = remote.commit or revision
            yield _Job(part, file, self.folder / part.folder / file.path, remote, revision)

    def _describe(self, part: Part, file: File, revision: str) -> Remote | None:
        """None: an optional file that is not there."""
        if file.sha256 and file.size is not None:
            return Remote(file.size, "sha256", file.sha256, "")
        tries = _Tries(self._patience, self._wait_to_retry)
        while True:
            with tries.one():
                try:
                    return self._hub.describe(part.repository, revision, file.path)
                except NotThereError:
                    if file.is_optional:
                        return None
                    raise

    def _is_there(self, job: _Job) -> bool:
        try:
            size = job.target.stat().st_size
        except FileNotFoundError:
            return False
        if size != job.remote.size:
            return False
        # What was not renamed by us, such as a file that git put there, may be anything. Small
        # ones cost nothing to look into.
        if size > CHUNK:
            return job.target.suffix != ".safetensors" or (
                found.safetensors_size(job.target) == size
            )
        digest = _digest(job.remote)
        digest.update(job.target.read_bytes())
        return digest.hexdigest() == job.remote.digest

    def _check_disk(self, missing: Sequence[_Job]) -> None:
        """Raises HubError if there is no room for what is missing."""
        wanted = sum(job.remote.size - found.size_of(job.piece) for job in missing)
        free = shutil.disk_usage(self.folder).free
        if missing and wanted + DISK_MARGIN > free:
            raise HubError(
                f"{self.folder}: {gigabytes(free)} are free, {gigabytes(wanted + DISK_MARGIN)} are "
                "needed: free disk space, or choose another folder"
            )

    def _fetch(self, job: _Job) -> None:
        """Gets one file, checks it and gives it its name."""
        self._show(job.what)
        job.target.parent.mkdir(parents=True, exist_ok=True)
        for other in found.pieces(job.target):
            if other != job.piece:
                other.unlink()
        resumed = found.size_of(job.piece) > 0
        begun = self._done
        while self._receive(job, begun) != job.remote.digest:
            job.piece.unlink()
            self._count(begun)
            if not resumed:
                raise HubError(
                    f"{job.what}: the received file does not have the hash {job.remote.digest}: "
                    "the file is corrupt, or another one. It is removed; try again, or use another "
                    "endpoint"
                )
            # The piece from before may be what is damaged.
            resumed = False
        job.piece.replace(job.target)

    def _receive(self, job: _Job, begun: int) -> str:
        """Completes the piece of a file. Gives its hash. begun: bytes of the files before it."""
        size = job.remote.size
        tries = _Tries(self._patience, self._wait_to_retry)
        with job.piece.open("a+b") as file:
            if os.fstat(file.fileno()).st_size > size:
                file.truncate(0)
            digest, have = self._hash_again(file, job, begun)
            while have < size:
                with tries.one():
                    answer = self._hub.open(
                        job.part.repository, job.revision, job.file.path, have, size
                    )
                    with answer.stream:
                        if answer.start != have:
                            file.truncate(0)
                            digest, have = _digest(job.remote), 0
                            self._count(begun)
                        while have < size:
                            self._check_stop()
                            chunk = self._hub.read(answer, min(CHUNK, size - have), job.what)
                            if not chunk:
                                raise PassingError(
                                    f"{job.what}: the connection broke off, bytes received: "
                                    f"{have} / {size}"
                                )
                            file.write(chunk)
                            digest.update(chunk)
                            have += len(chunk)
                            tries.restart()
                            self._count(begun + have)
                        if self._hub.read(answer, 1, job.what):
                            raise HubError(
                                f"{job.what}: the server sends more than the {size} bytes that "
                                "the file has: it is not the file"
                            )
            file.flush()
            os.fsync(file.fileno())
        self._count(begun + size)
        return digest.hexdigest()

    def _hash_again(self, file: BinaryIO, job: _Job, begun: int) -> tuple[_Hash, int]:
        """Of what the piece holds, and how much it is."""
        digest, have = _digest(job.remote), 0
        file.seek(0)
        while chunk := file.read(CHUNK):
            self._check_stop()
            digest.update(chunk)
            have += len(chunk)
        self._count(begun + have)
        # What was there is no speed of the network.
        with self._lock:
            self._seen.clear()
            self._seen.append((time.monotonic(), self._done))
        return digest, have

    def _count(self, done: int) -> None:
        now = time.monotonic()
        with self._lock:
            if done < self._done:
                self._seen.clear()
            self._done = done
            if not self._seen or now - self._seen[-1][0] > 0.1:
                self._seen.append((now, done))

    def _show(self, file: str) -> None:
        self._check_stop()
        with self._lock:
            self._file = file

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _wait_to_retry(self, seconds: float, message: str) -> None:
        """Shows the message meanwhile."""
        with self._lock:
            self._message = f"{message}. Trying again in {seconds:.0f} s."
        if self._stop.wait(seconds):
            raise _Stopped
        with self._lock:
            self._message = ""


class _Tries:
    """Counts the tries for one thing, and waits between them."""

    def __init__(self, patience: Patience, wait: Callable[[float, str], None]) -> None:
        self._patience = patience
        self._wait = wait
        self._count = 0

    def restart(self) -> None:
        """What was tried made progress."""
        self._count = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Takes a PassingError and waits, for the caller to try again. Raises HubError after the
        last try, or what the wait raises.
        """
        try:
            yield
        except PassingError as error:
            self._count += 1
            if self._count >= self._patience.tries:
                raise HubError(
                    f"{error}. Given up after {self._count} tries; what is there is kept"
                ) from None
            if error.wait > self._patience.longest_wait:
                raise HubError(f"{error}: the server asks to wait {error.wait:.0f} s") from None
            own = self._patience.first_wait * 2 ** (self._count - 1)
            self._wait(max(min(own, self._patience.longest_wait), error.wait), str(error))


def _digest(remote: Remote) -> _Hash:
    """What the server's hash is made with."""
    if remote.algorithm == "sha256":
        return hashlib.sha256()
    # As git names a file by its content; not a matter of security.
    return hashlib.sha1(b"blob %d\0" % remote.size, usedforsecurity=False)


def _disk_error(error: OSError) -> str:
    where = error.filename or "the file"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full ({where}): free some, and go on; what is there is kept."
    return f"{where} cannot be written: {error.strerror or error}."


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds a folder's lock file, which the system gives free when a process ends, however it ends.
    Raises HubError if another has it. On a file system without locks there is none.
    """
    with (folder / LOCK).open("a+b") as file:
        try:
            _lock(file)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                raise HubError(
                    f"another download is writing into {folder}: wait for it or stop it"
                ) from None
            if error.errno not in WITHOUT_LOCKS:
                raise
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(file: BinaryIO) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
