"""A log in a file of its own: each line is written at once, by one call."""

from __future__ import annotations

import fcntl
import logging
import os
import threading
from pathlib import Path

from impl.errors import BadDeployment, EnvironmentProblem

_LOG = logging.getLogger("ondemand.events")
_PIECE_BYTES = 65_536


class FileSink:
    """Appends lines to a file, which belongs to this program until it is closed. Safe to use from several threads.

    What an earlier program began to write and did not finish, since it was killed, is no line, and is removed. When the file cannot
    be written any more, nothing further is: a log with a hole in the middle of a run would look like one without.

    Raises:
        BadDeployment: the file cannot be opened for writing.
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
                f"{path}: another program writes its events there, or it is no file; name another"
            ) from problem

    def _remove_the_unfinished(self) -> None:
        size = end = os.fstat(self._file).st_size
        while end:
            start = max(0, end - _PIECE_BYTES)
            newline = os.pread(self._file, end - start, start).rfind(b"\n")
            end = start + newline + 1 if newline >= 0 else start
            if newline >= 0:
                break
        if end != size:
            _LOG.warning("%s: removes %d bytes of a line that was not finished", self._path, size - end)
            os.ftruncate(self._file, end)

    def write(self, line: bytes) -> bool:
        """See `impl.recording.recorder.Sink`."""
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
                    "%s: cannot be written (%s); records nothing more, and goes on without",
                    self._path,
                    problem.strerror,
                )
        return not self._failed

    def close(self) -> None:
        """See `impl.recording.recorder.Sink`."""
        with self._lock:
            self._failed = True
            os.close(self._file)  # and what is locked is free again
