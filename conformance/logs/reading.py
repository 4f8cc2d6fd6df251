"""Reads event logs: one checked record at a time, in constant memory.

A file is NDJSON in UTF-8, compressed if its name ends in `.gz`; `-` is standard input. An invalid line raises `Problem` with one
sentence that names file, line and field. The one exception is a process killed while it writes, which leaves a truncated last line:
everything before it is read, and `LogFile.cut` reports it, so that callers draw no conclusion from missing lines.
"""

from __future__ import annotations

import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from conformance.logs.lines import UNFIT, Vocabulary, recorded, shown
from impl.cli.console import no_such
from impl.cli.exits import Exit, Problem
from impl.events.line import LINE_BYTES_MAX, Line, decoded

BLOCK: Final = 1 << 14
"""Bytes read at once: small enough that the blocks of a hundred files fit into the processor's cache."""

_KEYS: Final = tuple(field.encode_name for field in msgspec.structs.fields(Line))
_REQUIRED: Final = tuple(field.encode_name for field in msgspec.structs.fields(Line) if field.required)


class Record(msgspec.Struct, frozen=True, gc=False):
    """A line of a log with its place."""

    file: str
    number: int
    """Line number, from 1."""
    line: Line
    raw: bytes = b""
    """The text of the line, if it was read from a file."""
    is_checked: bool = True
    """Whether the whole line was checked against the schema; else its messages and state are still unchecked."""

    @property
    def place(self) -> str:
        """File and line number, for messages."""
        return f"{self.file}:{self.number}"

    def remembered(self) -> Remembered:
        """A compact form to keep for later."""
        return self.file, self.number, self.raw or self.line


Remembered = tuple[str, int, bytes | Line]
"""File, number and line, the line as text if possible: the decoded values of some hundred lines would displace the state from the
processor's cache."""


def recalled(remembered: Remembered) -> Record:
    """The record, decoded again."""
    file, number, kept = remembered
    return Record(file, number, kept) if isinstance(kept, Line) else Record(file, number, decoded(kept), kept)


class LogFile:
    """One log. Iterate over it once; `cut`, `records` and `bytes` are updated meanwhile."""

    def __init__(self, path: str | Path, vocabulary: Vocabulary | None = None) -> None:
        self.path = str(path)
        self.file = "standard input" if self.path == "-" else self.path
        self.cut: str | None = None
        """A sentence if the file ends in the middle of a line; else None."""
        self.records = 0
        self.bytes = 0
        """Bytes of text read so far, uncompressed."""
        self.clocks_back: dict[str, str] = {}
        """By process: the place where its clock first went back. Clocks order nothing, but readers of timestamps should know."""
        self._vocabulary = vocabulary or recorded()

    def __iter__(self) -> Iterator[Record]:
        return self.records_checked()

    def records_checked(self, *, heads_only: bool = False) -> Iterator[Record]:
        """The records in file order. `heads_only`: messages and state are not checked.

        Raises:
            Problem: a line is invalid, or the file cannot be read or has no line.
        """
        decode, file, number, rest = decoded, self.file, 0, b""
        fits, is_checked = (self._vocabulary.heads if heads_only else self._vocabulary.fits), not heads_only
        clocks: dict[str, int] = {}
        of, clock = "", 0  # process and time of the last line; the process changes only in concatenated logs
        for block in self._blocks():
            text = rest + block if rest else block
            pieces = text.split(b"\n")
            rest = pieces.pop()
            if len(text) > LINE_BYTES_MAX:
                self._check_lengths([*pieces, rest], number)
            for piece in pieces:
                number += 1
                try:
                    line = decode(piece)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
                    raise self._problem(number, *_fault_of(piece, problem)) from None
                try:  # what `accepts` does, without a call for each line
                    if not fits[line.event](line):
                        self._check(line, number)
                except UNFIT:
                    self._check(line, number)
                if line.process != of:
                    clocks[of] = clock
                    of = line.process
                    clock = clocks.get(of, 0)
                if line.time < clock:
                    self.clocks_back.setdefault(of, f"{file}:{number}")
                clock = line.time
                yield Record(file, number, line, piece, is_checked)
            self.records = number
        if rest:
            number += 1
            try:
                line = decode(rest)
            except msgspec.ValidationError as problem:
                raise self._problem(number, *_fault_of(rest, problem)) from None
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self.cut = self.cut or f"{file}:{number}: the last line is cut"
            else:
                self._check(line, number)
                yield Record(file, number, line, rest)
                self.records = number
        if not self.records:
            what = "has no complete line" if self.cut else "is empty"
            raise Problem(f"{file}: {what}; expected a line of JSON for each event", Exit.BAD_INPUT)

    def _check(self, line: Line, number: int) -> None:
        check(self.file, number, line, self._vocabulary)

    def _check_lengths(self, pieces: Iterable[bytes], number: int) -> None:
        for place, piece in enumerate(pieces, start=number + 1):
            if len(piece) > LINE_BYTES_MAX:
                raise self._problem(
                    place, "", f"has more than {LINE_BYTES_MAX:,} bytes; expected one event in each line"
                )

    def _problem(self, number: int, field: str, wrong: str) -> Problem:
        return _problem(self.file, number, field, wrong)

    def _blocks(self) -> Iterator[bytes]:
        try:
            with self._opened() as stream:
                while block := stream.read1(
                    BLOCK
                ):  # read1 returns what is available, so that nothing of a truncated file is lost
                    self.bytes += len(block)
                    yield block
        except EOFError:
            self.cut = f"{self.file}: the compressed file is truncated after line {self.records}"
        except (gzip.BadGzipFile, zlib.error) as problem:
            raise Problem(
                f"{self.file}: is not a gzip file ({problem}); name a compressed log, or rename it without .gz",
                Exit.BAD_INPUT,
            ) from problem
        except OSError as problem:
            raise Problem(
                f"{self.file}: cannot be read ({problem.strerror}); name an existing log", Exit.BAD_INPUT
            ) from problem

    def _opened(self) -> io.BufferedReader | gzip.GzipFile:
        if self.path == "-":
            return open(sys.stdin.fileno(), "rb", closefd=False)
        if self.path.endswith(".gz"):
            return gzip.open(self.path, "rb")
        return Path(self.path).open("rb")


def record_of(file: str, number: int, raw: bytes, vocabulary: Vocabulary) -> Record:
    """The record of one line that does not come from a `LogFile`.

    Raises:
        Problem: the line is invalid.
    """
    if len(raw) > LINE_BYTES_MAX:
        raise _problem(file, number, "", f"has more than {LINE_BYTES_MAX:,} bytes; expected one event in each line")
    try:
        line = decoded(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise _problem(file, number, *_fault_of(raw, problem)) from None
    if not vocabulary.accepts(line):
        check(file, number, line, vocabulary)
    return Record(file, number, line, raw)


def check_schema(record: Record, vocabulary: Vocabulary) -> None:
    """Raises `Problem` if a record that was not checked completely violates the schema."""
    if not (record.is_checked or vocabulary.accepts(record.line)):
        check(record.file, record.number, record.line, vocabulary)


def check(file: str, number: int, line: Line, vocabulary: Vocabulary) -> None:
    """Raises `Problem` if a line violates the schema; missing parameters are allowed."""
    found = vocabulary.fault(line)
    if found is not None:
        raise _problem(file, number, *found)


def _problem(file: str, number: int, field: str, wrong: str) -> Problem:
    place = f"{file}:{number}: {field}: " if field else f"{file}:{number}: "
    return Problem(f"{place}{wrong}", Exit.BAD_INPUT)


def read(paths: Iterable[str | Path]) -> Iterator[Record]:
    """The records of several logs, one log after the other; `causal_order` orders the events.

    Raises:
        Problem: as `LogFile`.
    """
    for path in paths:
        yield from LogFile(path)


# ------------------------------------------------------------------------------------------- descriptions of faults

_EXPECTED: Final = re.compile(r"Expected (?P<expected>.+?)(?:, got (?P<got>.+?))?(?: - at `\$\.?(?P<path>.*)`)?$")
_TYPE_NAMES: Final = {
    "str": "text",
    "int": "an integer",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "float": "a number with a point",
}


def _fault_of(raw: bytes, problem: Exception) -> tuple[str, str]:
    """The field and the sentence for a line that could not be decoded."""
    if not raw.strip():
        return "", "is blank; expected an event in each line"
    try:
        value = msgspec.json.decode(raw)
    except RecursionError:
        return "", "is nested too deeply; expected one event"
    except msgspec.DecodeError as wrong:
        reason = str(wrong).removeprefix("JSON is malformed: ").rstrip(".")
        return "", f"is not JSON in UTF-8 ({reason[:1].lower()}{reason[1:]})"
    except UnicodeDecodeError as wrong:
        return "", f"is not JSON in UTF-8 ({wrong.reason})"
    if not isinstance(value, dict):
        return "", f"expected an object, found {shown(value)}"
    for key in value:
        if key not in _KEYS:
            return str(key), no_such("field of an event", str(key), _KEYS)
    for key in _REQUIRED:
        if key not in value:
            return key, "is missing; every event has it"
    return _wrong_type(value, str(problem))


def _wrong_type(value: dict[str, Any], message: str) -> tuple[str, str]:
    """The field of a wrong type. The decoder's message names the place except keys of objects, which are found here."""
    found = _EXPECTED.match(message)
    assert found is not None, message
    names = re.findall(r"`([^`]+)`", found["expected"])
    expected = _either([_TYPE_NAMES.get(kind.strip(), kind.strip()) for name in names for kind in name.split("|")])
    path = found["path"] or ""
    top = next((key for key in _KEYS if path == key or path.startswith((f"{key}[", f"{key}."))), path)
    inner = value.get(top)
    if isinstance(inner, dict):
        for key, entry in inner.items():
            if not _of_type(entry, names):
                return f"{top}.{key}", f"expected {expected or found['expected']}, found {shown(entry)}"
        return top, f"expected {expected or found['expected']} in every entry"
    got = re.sub("`", "", found["got"] or "")
    seen = shown(inner) if path == top else _TYPE_NAMES.get(got, got)
    return top, f"expected {expected or found['expected']}, found {seen}"


def _either(names: Sequence[str]) -> str:
    return " or ".join([*filter(None, [", ".join(names[:-1])]), *names[-1:]])


def _of_type(value: object, names: Iterable[str]) -> bool:
    kinds = {"str": str, "int": int, "bool": bool, "array": list, "object": dict}
    wanted = [kinds[kind.strip()] for name in names for kind in name.split("|") if kind.strip() in kinds]
    return type(value) in wanted
