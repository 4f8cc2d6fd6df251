"""The broker's jars: a fixed list with checksums, fetched once into the user's cache folder.

A jar is used only if its checksum is the one in `jars.lock`. Verified jars are remembered with their size and modification time, so
that a warm start reads no jar twice.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs
from filelock import FileLock
from jgo.maven import MavenContext
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from impl.errors import EnvironmentProblem

LOCK_FILE: Final = Path(__file__).with_name("jars.lock")

DOWNLOADS_AT_ONCE: Final = 8
"""The number of threads; more do not make it faster."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock: the origin of a jar, and its checksum."""

    group: str
    name: str
    version: str
    classifier: str
    sha256: str

    def __str__(self) -> str:
        return ":".join(part for part in (self.group, self.name, self.classifier, self.version) if part)

    def path(self, repository: Path) -> Path:
        """Its path in a Maven repository folder."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        file = f"{self.name}-{self.version}{suffix}.jar"
        return repository.joinpath(*self.group.split("."), self.name, self.version, file)

    def fits(self, machine: str) -> bool:
        """Whether it is needed on this kind of processor: native code names its processor in the classifier."""
        other = "aarch_64" if machine in {"x86_64", "AMD64"} else "x86_64"
        return other not in self.classifier


def cache_folder() -> Path:
    """The folder for downloads and compiled code: `$ONDEMAND_CACHE`, or the user's cache folder."""
    return Path(os.environ.get("ONDEMAND_CACHE") or platformdirs.user_cache_dir("alcor-on-demand"))


def locked_jars(text: str | None = None) -> list[Jar]:
    """The jars of the lock that fit this machine, in its order (which is the order of the class path)."""
    lines = (LOCK_FILE.read_text(encoding="utf-8") if text is None else text).splitlines()
    machine = platform.machine()
    return [jar for jar in map(_parse, lines) if jar.fits(machine)]


def _parse(line: str) -> Jar:
    coordinates, checksum = line.split(" ")
    group, name, kind, *rest = coordinates.split(":")
    assert kind == "jar"
    assert len(checksum) == 64
    return Jar(group, name, rest[-1], rest[0] if len(rest) == 2 else "", checksum)


def fetch(jars: Sequence[Jar] | None = None, *, console: Console | None = None) -> list[Path]:
    """Ensures that all jars exist and match the lock; downloads missing ones.

    Raises:
        EnvironmentProblem: there is no network, or a jar does not match the lock.
    """
    wanted = locked_jars() if jars is None else list(jars)
    folder = cache_folder() / "jars"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            verified = _Verified(folder / "verified.json")
            missing = [jar for jar in wanted if not verified.holds(jar, folder)]
            if missing:
                _download(missing, folder, verified, console or Console(stderr=True))
            verified.save()
    except OSError as problem:
        raise EnvironmentProblem(
            f"{folder}: cannot be written ({problem.strerror}); set ONDEMAND_CACHE to a writable folder"
        ) from problem
    return [jar.path(folder) for jar in wanted]


class _Verified:
    """The files that have been checked, by path, with size in bytes and modification time in nanoseconds."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._seen: dict[str, list[object]] = dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            self._seen = {}  # only a shortcut: without it every jar is checked again
        self._changed = False

    def holds(self, jar: Jar, folder: Path) -> bool:
        path = jar.path(folder)
        if not path.is_file():
            return False
        if self._seen.get(str(jar)) == self._mark(jar, path):
            return True
        good = hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256
        if good:
            self._seen[str(jar)] = self._mark(jar, path)
            self._changed = True
        return good

    def save(self) -> None:
        if self._changed:
            self._path.write_text(json.dumps(self._seen), encoding="utf-8")

    @staticmethod
    def _mark(jar: Jar, path: Path) -> list[object]:
        status = path.stat()
        return [jar.sha256, status.st_size, status.st_mtime_ns]


def _download(missing: Sequence[Jar], folder: Path, verified: _Verified, console: Console) -> None:
    columns = (TextColumn("Fetching the broker's jars"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        if not console.is_terminal:
            console.print(f"Fetching {len(missing)} jars of the broker; this happens once.")
        task = progress.add_task("", total=len(missing))
        for jar, problem in _each(missing, folder):
            if problem is not None:
                raise EnvironmentProblem(
                    f"{jar}: cannot be fetched ({_root(problem)}); check the network, and try again: "
                    "jars fetched so far are kept"
                ) from problem
            if not verified.holds(jar, folder):
                jar.path(folder).unlink(missing_ok=True)
                verified.save()
                raise EnvironmentProblem(
                    f"{jar}: the fetched file does not have the checksum in jars.lock; "
                    "it was removed: try again, or find out who changed it"
                )
            progress.advance(task)


def _root(problem: BaseException) -> BaseException:
    """The root cause of an exception: an unknown name, a refused connection, without the libraries' wording."""
    inner = problem.__cause__ or problem.__context__
    return problem if inner is None else _root(inner)


def _each(missing: Sequence[Jar], folder: Path) -> Iterator[tuple[Jar, Exception | None]]:
    def get(jar: Jar) -> None:
        jar.path(folder).unlink(missing_ok=True)  # a damaged one must not be taken for the real one
        context = MavenContext(repo_cache=folder)
        component = context.project(jar.group, jar.name).at_version(jar.version)
        if jar.classifier:
            component.artifact(classifier=jar.classifier, packaging="jar").resolve()
        else:
            component.artifact(packaging="jar").resolve()

    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as threads:
        running = {threads.submit(get, jar): jar for jar in missing}
        try:
            for done in as_completed(running):
                problem = done.exception()
                yield running[done], problem if isinstance(problem, Exception) else None
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
