"""An event log in a file: each line is written at once, by one system call."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from pathlib import Path
from typing import Final

import msgspec

from impl.errors import BadDeployment, EnvironmentProblem
from impl.events.line import LINE_BYTES_MAX, Line

_LOG = logging.getLogger("ondemand.events")
_BEGINS: Final = f'{{"{msgspec.structs.fields(Line)[0].encode_name}":'.encode()
"""How every line begins. An unfinished end of the file that begins differently is not an event-log line, and is not removed."""


class FileSink:
    """Appends lines to a file, which is locked for this program until it is closed. Safe to use from several threads.

    A line left unfinished by an earlier program that was killed is removed. When a write fails, nothing further is written: a log
    with a hole in the middle of a run would look like one without.

    Raises:
        BadDeployment: the file cannot be opened for writing, or does not end as an event log.
        EnvironmentProblem: another program writes to it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._failed = False
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as problem:
            raise BadDeployment(f"{path}: cannot be written ({problem.strerror}); name another file") from problem
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._remove_the_unfinished()
        except OSError as problem:
            os.close(self._file)
            raise EnvironmentProblem(
                f"{path}: another program writes its events there, or it is not a regular file; name another file"
            ) from problem
        except BadDeployment:
            os.close(self._file)
            raise

    def _remove_the_unfinished(self) -> None:
        size = os.fstat(self._file).st_size
        start = max(0, size - LINE_BYTES_MAX)
        _, newline, rest = os.pread(self._file, size - start, start).rpartition(b"\n")
        if not rest:
            return
        if not (newline or start == 0) or not rest.startswith(_BEGINS[: len(rest)]):
            raise BadDeployment(f"{self._path}: does not end as an event log does; name another file")
        _LOG.warning("%s: removed %d bytes of an unfinished line", self._path, len(rest))
        os.ftruncate(self._file, size - len(rest))

    def write(self, line: bytes) -> bool:
        """See `impl.events.recorder.Sink`."""
        with self._lock:
            if self._failed:
                return False
            try:
                left = memoryview(line)
                while left:
                    left = left[os.write(self._file, left) :]
            except OSError as problem:
                self._failed = True
                _LOG.warning(
                    "%s: cannot be written (%s); the event log ends here, and the service continues without it",
                    self._path,
                    problem.strerror,
                )
        return not self._failed

    def close(self) -> None:
        """See `impl.events.recorder.Sink`."""
        with self._lock:
            self._failed = True
            os.close(self._file)  # this also releases the lock
