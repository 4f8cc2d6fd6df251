"""Reading event logs: one record after the other, checked, in constant memory however long the file is.

A file is NDJSON in UTF-8, compressed if its name ends in `.gz`; `-` is standard input. What is not a line of a log ends in one
sentence that names file, line and field. There is one exception: a process that is killed while it writes leaves a last line that
is cut. All before it is read, and `LogFile.cut` says so; it is then for the reader to draw no conclusion from what is missing.
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
"""Bytes read at once: of a hundred files that are read in turns they stay in the processor's cache."""

_KEYS: Final = tuple(field.encode_name for field in msgspec.structs.fields(Line))
_REQUIRED: Final = tuple(field.encode_name for field in msgspec.structs.fields(Line) if field.required)


class Record(msgspec.Struct, frozen=True, gc=False):
    """A line of a log with its place."""

    file: str
    number: int
    """From 1 on."""
    line: Line
    raw: bytes = b""
    """Its text, where it was read."""
    is_checked: bool = True
    """Whether all of it keeps to the protocol's words; else what it sent and state are for whoever takes it to check."""

    @property
    def place(self) -> str:
        """Where it stands, for a sentence."""
        return f"{self.file}:{self.number}"

    def remembered(self) -> Remembered:
        """The same, to be kept for later."""
        return self.file, self.number, self.raw or self.line


Remembered = tuple[str, int, bytes | Line]
"""A line that was dealt with, with its file and number: as text, where there is one. The values of some hundred lines would take
the place of the state in the processor's cache."""


def recalled(remembered: Remembered) -> Record:
    """The line with its values."""
    file, number, kept = remembered
    return Record(file, number, kept) if isinstance(kept, Line) else Record(file, number, decoded(kept), kept)


class LogFile:
    """One log. Iterate over it once; what `cut`, `records` and `bytes` say grows meanwhile."""

    def __init__(self, path: str | Path, vocabulary: Vocabulary | None = None) -> None:
        self.path = str(path)
        self.file = "standard input" if self.path == "-" else self.path
        self.cut: str | None = None
        """A sentence, if the file ends in the middle of a line."""
        self.records = 0
        self.bytes = 0
        """Of the text, read so far; of a compressed file, before it was compressed."""
        self.clocks_back: dict[str, str] = {}
        """Where the clock of a process first went back. That orders nothing, and is worth a word to whoever reads the times."""
        self._vocabulary = vocabulary or recorded()

    def __iter__(self) -> Iterator[Record]:
        return self.records_checked()

    def records_checked(self, *, heads_only: bool = False) -> Iterator[Record]:
        """The records in the order of the file; on request without looking at what was sent, and at state.

        Raises:
            Problem: a line is none, or the file cannot be read, or has no line at all.
        """
        decode, file, number, rest = decoded, self.file, 0, b""
        fits, is_checked = (self._vocabulary.heads if heads_only else self._vocabulary.fits), not heads_only
        clocks: dict[str, int] = {}
        of, clock = "", 0  # of the last line: the next one is of the same process, but for logs that were put together
        for block in self._blocks():
            whole = rest + block if rest else block
            pieces = whole.split(b"\n")
            rest = pieces.pop()
            if len(whole) > LINE_BYTES_MAX:
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
            what = "has no whole line" if self.cut else "is empty"
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
                while block := stream.read1(BLOCK):  # what there is, so that of a cut one nothing is lost
                    self.bytes += len(block)
                    yield block
        except EOFError:
            self.cut = f"{self.file}: the compressed file is cut after line {self.records}"
        except (gzip.BadGzipFile, zlib.error) as problem:
            raise Problem(
                f"{self.file}: is not compressed as its name says ({problem}); name a log in .gz, or without",
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
    """One line that came by another way than a file that is there whole.

    Raises:
        Problem: it is no line of a log.
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
    """Raises `Problem` for a record that does not keep to the protocol's words, where nobody has looked so far."""
    if not (record.is_checked or vocabulary.accepts(record.line)):
        check(record.file, record.number, record.line, vocabulary)


def check(file: str, number: int, line: Line, vocabulary: Vocabulary) -> None:
    """Raises `Problem` for a line that says what no line may say."""
    found = vocabulary.fault(line)
    if found is not None:
        raise _problem(file, number, *found)


def _problem(file: str, number: int, field: str, wrong: str) -> Problem:
    place = f"{file}:{number}: {field}: " if field else f"{file}:{number}: "
    return Problem(f"{place}{wrong}", Exit.BAD_INPUT)


def read(paths: Iterable[str | Path]) -> Iterator[Record]:
    """The records of several logs, one log after the other; the order of the events is for `joining` to find.

    Raises:
        Problem: as `LogFile`.
    """
    for path in paths:
        yield from LogFile(path)


# ------------------------------------------------------------------------------------------------ what is wrong

_EXPECTED: Final = re.compile(r"Expected (?P<expected>.+?)(?:, got (?P<got>.+?))?(?: - at `\$\.?(?P<path>.*)`)?$")
_WORDS: Final = {
    "str": "text",
    "int": "an integer",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "float": "a number with a point",
}


def _fault_of(raw: bytes, problem: Exception) -> tuple[str, str]:
    """The field and the sentence for a line that could not be decoded as one of a log."""
    if not raw.strip():
        return "", "is blank; expected an event in each line"
    try:
        value = msgspec.json.decode(raw)
    except RecursionError:
        return "", "is nested too deeply; expected one event"
    except msgspec.DecodeError as wrong:
        said = str(wrong).removeprefix("JSON is malformed: ").rstrip(".")
        return "", f"is not JSON in UTF-8 ({said[:1].lower()}{said[1:]})"
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


def _wrong_type(value: dict[str, Any], said: str) -> tuple[str, str]:
    """The field of a wrong type. The library names the place but for keys of objects, which are found here."""
    found = _EXPECTED.match(said)
    assert found is not None, said
    names = re.findall(r"`([^`]+)`", found["expected"])
    expected = _either([_WORDS.get(one.strip(), one.strip()) for name in names for one in name.split("|")])
    path = found["path"] or ""
    top = next((key for key in _KEYS if path == key or path.startswith((f"{key}[", f"{key}."))), path)
    inner = value.get(top)
    if isinstance(inner, dict):
        for key, one in inner.items():
            if not _of_type(one, names):
                return f"{top}.{key}", f"expected {expected or found['expected']}, found {shown(one)}"
        return top, f"expected {expected or found['expected']} in every entry"
    got = re.sub("`", "", found["got"] or "")
    seen = shown(inner) if path == top else _WORDS.get(got, got)
    return top, f"expected {expected or found['expected']}, found {seen}"


def _either(words: Sequence[str]) -> str:
    return " or ".join([*filter(None, [", ".join(words[:-1])]), *words[-1:]])


def _of_type(value: object, names: Iterable[str]) -> bool:
    kinds = {"str": str, "int": int, "bool": bool, "array": list, "object": dict}
    wanted = [kinds[one.strip()] for name in names for one in name.split("|") if one.strip() in kinds]
    return type(value) in wanted
