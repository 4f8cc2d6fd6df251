"""Checkpoints: the state of the matcher and the position in each log, so that a later watch resumes where an earlier one ended.

The file is JSON and is replaced atomically, so it is consistent. It contains nothing that the logs do not contain.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import msgspec

from conformance.logs.causal_order import Process
from conformance.logs.inference import InferredStep
from conformance.logs.matcher import MatcherState
from conformance.logs.names import LOGGED
from conformance.logs.reading import Record, recalled
from conformance.logs.validate import Validation
from conformance.watch.streams import Position
from impl.cli.console import writing
from impl.cli.exits import Exit, Problem
from impl.events.line import Line
from model.reference.state import Tuple

FORM: Final = 3
"""The version of the checkpoint format."""

_UNKEPT: Final = frozenset({"waiting", "for_line", "for_message", "free"})
"""Fields of a process that are restored by feeding the waiting lines again."""


class Kept(msgspec.Struct, frozen=True):
    """A line with its place."""

    file: str
    number: int
    line: Line


class Tables(msgspec.Struct, frozen=True):
    """The state of one protocol."""

    digest: str
    """Of the statement that the state belongs to."""
    now: int
    sweep_at: dict[str, int]
    entries: dict[str, list[list[str | int | bool]]]
    """By symbol: arguments, followed by the value."""
    forgotten: dict[str, Any]
    """Entries that retention dropped, and number intervals; see `Tables.forgotten_as_json`."""


class InferredSteps(msgspec.Struct, frozen=True):
    """The state of `conformance.logs.inference.Inference`."""

    steps: list[InferredStep]
    counts: dict[str, int]
    chosen: list[str]


class Checkpoint(msgspec.Struct, frozen=True):
    """A watch at one moment."""

    form: int
    options: dict[str, Any]
    """The options of the watch that decide how lines are interpreted."""
    positions: dict[str, Position]
    counts: dict[str, int]
    limits: dict[str, int]
    registered: dict[str, list[str]]
    """By process."""
    is_stated: bool
    doubt: str
    lines: int
    processes: list[dict[str, Any]]
    tables: dict[str, Tables]
    inferred: InferredSteps = msgspec.field(name="put_in")
    waiting: list[Kept]
    recent: list[Kept]


_DECODER: Final = msgspec.json.Decoder(Checkpoint)


def saved(validation: Validation, positions: Mapping[str, Position], options: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint of a matcher and its positions, taken between two records."""
    processes, inference = validation.causal_order.processes.values(), validation.inference
    return Checkpoint(
        FORM,
        dict(options),
        dict(positions),
        dict(validation.counts),
        dict(validation.limits),
        {name: sorted(some) for name, some in validation.registrations.hosts.items()},
        validation.registrations.is_stated,
        validation.doubt,
        validation.causal_order.lines,
        [_process(process) for process in processes],
        {
            name: Tables(
                matcher.protocol.digest(),
                matcher.tables.now,
                dict(matcher.sweep_at),
                {
                    symbol: [[*arguments, value] for arguments, value in _entries(matcher, symbol)]
                    for symbol in matcher.tables.layout.kept.keys() - matcher.tables.layout.counted
                },
                matcher.tables.forgotten_as_json(),
            )
            for name, matcher in validation.matchers.items()
        },
        InferredSteps(list(inference.inferred), dict(inference.counts), sorted(inference.chosen)),
        _kept(record for process in processes for record in process.waiting),
        _kept(map(recalled, validation.recent)),
    )


def _entries(matcher: MatcherState, symbol: str) -> Iterable[tuple[Tuple, Any]]:
    """The entries that differ from the initial state; messages with the line number at which they were sent."""
    is_message = any(message.name == symbol for message in matcher.protocol.messages)
    return matcher.tables.table(symbol).items() if is_message else matcher.tables.entries(symbol)


def _process(process: Process) -> dict[str, Any]:
    kept = {field.name: getattr(process, field.name) for field in fields(Process) if field.name not in _UNKEPT}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in kept.items()}


def _kept(records: Iterable[Record]) -> list[Kept]:
    return [Kept(record.file, record.number, record.line) for record in records]


def resumed(checkpoint: Checkpoint, validation: Validation) -> None:
    """Restores a new matcher to the checkpoint."""
    validation.counts.update(checkpoint.counts)
    validation.learn_limits(checkpoint.limits)
    validation.registrations.hosts.update({name: set(some) for name, some in checkpoint.registered.items()})
    validation.registrations.is_stated = checkpoint.is_stated
    validation.doubt = checkpoint.doubt
    for process in checkpoint.processes:
        kept = Process(process["name"], process["role"], process["host"])
        for name, value in process.items():
            setattr(kept, name, set(value) if isinstance(getattr(kept, name), set) else value)
        validation.causal_order.resume(kept)
    validation.causal_order.lines = checkpoint.lines
    for name, tables in checkpoint.tables.items():
        matcher = validation.matchers[name]
        matcher.sweep_at.update(tables.sweep_at)
        matcher.tables.forget_again(tables.forgotten)
        for symbol, entries in tables.entries.items():
            is_message = any(message.name == symbol for message in matcher.protocol.messages)
            for *arguments, value in entries:
                if is_message:
                    matcher.tables.now = int(value)  # the entry of a message records the current number
                matcher.tables.put(symbol, tuple(arguments), True if is_message else value)
        matcher.tables.now = tables.now
    validation.inference.inferred.extend(checkpoint.inferred.steps)
    validation.inference.counts.update(checkpoint.inferred.counts)
    validation.inference.chosen.update(checkpoint.inferred.chosen)
    validation.recent.extend(each_record.remembered() for each_record in _records(checkpoint.recent))
    for record in _records(checkpoint.waiting):
        verdict = validation.feed(record)
        assert verdict is None, "the line waited when the checkpoint was made"


def _records(kept: Iterable[Kept]) -> Iterable[Record]:
    return (Record(entry.file, entry.number, entry.line) for entry in kept)


def write(checkpoint: Checkpoint, path: Path) -> None:
    """Replaces the file atomically.

    Raises:
        Problem: it cannot be written.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with writing(path, "name another checkpoint"):
        beside.write_bytes(msgspec.json.encode(checkpoint))
        beside.replace(path)


def read(path: Path, options: Mapping[str, Any]) -> Checkpoint | None:
    """The checkpoint in a file; None if the file does not exist.

    Raises:
        Problem: the file is no checkpoint, or belongs to a watch with other options.
    """
    try:
        found = _DECODER.decode(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise Problem(
            f"{path}: cannot be read ({problem.strerror}); name another checkpoint", Exit.BAD_INPUT
        ) from problem
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise Problem(
            f"{path}: is not a checkpoint of a watch ({problem}); name another file, or remove it to start over",
            Exit.BAD_INPUT,
        ) from problem
    if found.form != FORM:
        raise Problem(f"{path}: form: expected {FORM}, found {found.form}; remove it to start over", Exit.BAD_INPUT)
    for name, value in options.items():
        if found.options.get(name) != value:
            raise Problem(
                f"{path}: belongs to a watch with {name} {found.options.get(name)!r}, not {value!r}; name another checkpoint",
                Exit.BAD_INPUT,
            )
    for protocol in LOGGED:
        if protocol.name in found.tables and found.tables[protocol.name].digest != protocol.digest():
            raise Problem(
                f"{path}: belongs to another version of {protocol.name}; remove it to start over", Exit.BAD_INPUT
            )
    return found
