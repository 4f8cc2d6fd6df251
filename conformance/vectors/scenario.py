"""Scenarios: traces as text that people read and write.

```
# A line that begins with # is a comment, and so is what stands behind " # " beside a step or an expectation.
claim          A host learns of its own pod.
protocol       on-demand
configuration  one-network

place p1 h1
restart h1
greet h1 1
store p1 1
learn h1 1 p1 1
  expect known h1 p1 = 1
  expect not told h2 p1
```

A step is an action with its arguments, in the order of its parameters. What is expected of a step stands below it
(`conformance.vectors.expectations`). The states are not written down: the interpreter computes them.

A configuration is a named one of the protocol, or a TOML file beside the scenario; in a scenario no action is left out.

A run of a variant also has a line `variant NAME`, and `expect leaves PROTOCOL` below the first step that the protocol itself does
not take, or takes with another result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from conformance import configurations
from conformance.protocols import base
from conformance.vectors.expectations import Taken, unmet
from conformance.vectors.steps import Malformed, occurrence_of, words_of
from impl.cli.console import no_such
from impl.cli.exits import Problem
from model.bad_input import BadInput
from model.language import Protocol, Variant
from model.reference import itf
from model.reference.configuration import Configuration, load
from model.reference.interpreter import Interpreter, interpreter_of
from model.reference.state import Occurrence, State, Trace, initial_state

SUFFIX: Final = ".scenario"
HEADER: Final = ("claim", "protocol", "variant", "configuration")
"""The words that begin the lines before the first step; no action has such a name."""
EXPECT: Final = "expect"
LEAVES: Final = "leaves"

STEPS_MAX: Final = 10_000
LINE_MAX: Final = 1_000
"""The most bytes of a line."""
BYTES_MAX: Final = 4_000_000
"""The most bytes of a file."""


@dataclass(frozen=True)
class Scenario:
    """A scenario with its states."""

    trace: Trace
    protocol: Protocol
    """With the variant, if it is a run of one."""
    leaves: int | None
    """The step, from 1 on, that is not the protocol's."""
    unmet: tuple[str, ...]
    """A sentence for each expectation that is not met."""


# ----------------------------------------------------------------------------------------------------- reading


@dataclass
class Text:
    """What stands in a file; each part with its line."""

    header: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By the words of `HEADER`."""
    steps: list[tuple[int, list[str]]] = field(default_factory=list)
    """The words of each step."""
    expected: list[tuple[int, int, str]] = field(default_factory=list)
    """The line, the number of the step that it is about, from 1 on, and the expectation."""


def read(path: Path, protocols: Sequence[Protocol]) -> Scenario:
    """Reads a scenario of one of these protocols, and takes its steps.

    Raises:
        BadInput: the file is no scenario, or a step is not enabled; with file and line.
    """
    text = parsed(path)
    first, _ = text.steps[0]
    _, claim = _required(path, text, "claim", first)
    stated, variant = _protocol(path, text, protocols, first)
    line, name = _required(path, text, "configuration", first)
    configuration = _configuration(f"{path}: line {line}", path, name, stated)
    protocol = stated if variant is None else stated.with_variant(variant)
    interpreter = interpreter_of(protocol, configuration)
    states, steps, taken = [initial_state(protocol, configuration)], list[Occurrence](), list[Taken]()
    for number, words in text.steps:
        where = f"{path}: line {number}"
        try:
            step = occurrence_of(words, interpreter)
        except Malformed as problem:
            raise BadInput(f"{where}: {problem}") from problem
        if not interpreter.is_enabled(states[-1], step):
            raise BadInput(f"{where}: {step} is not enabled: {interpreter.why_not(states[-1], step)}")
        after, events = interpreter.apply(states[-1], step)
        taken.append(Taken(interpreter, states[-1], after, events))
        states.append(after)
        steps.append(step)
    trace = Trace(protocol.name, configuration, tuple(states), tuple(steps), claim)
    leaves = first_difference(trace, variant, stated) if variant is not None else None
    return Scenario(trace, protocol, leaves, tuple(_unmet(path, text, taken, stated, leaves)))


def _lines(path: Path) -> list[str]:
    """The lines of a file.

    Raises:
        BadInput: it cannot be read, is not plain text in UTF-8, or is too large.
    """
    try:
        if path.is_fifo():
            raise BadInput(f"{path}: is a pipe; name a scenario that is a file")
        with path.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror}); name an existing scenario") from problem
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise BadInput(f"{path}: line 1: begins with a byte order mark; save the file as UTF-8 without one")
    lines = []
    for number, each in enumerate(raw.split(b"\n"), start=1):
        where = f"{path}: line {number}"
        if len(each) > LINE_MAX:
            raise BadInput(f"{where}: is longer than the limit of {LINE_MAX:,} bytes")
        try:
            line = each.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as problem:
            raise BadInput(f"{where}: is not UTF-8; save the file as UTF-8") from problem
        if "\t" in line:
            raise BadInput(f"{where}: contains a tab; write spaces")
        strange = next((character for character in line if not character.isprintable()), None)
        if strange is not None:
            raise BadInput(f"{where}: contains the character U+{ord(strange):04X}; write plain text")
        lines.append(line)
    if len(raw) > BYTES_MAX:
        raise BadInput(f"{path}: is larger than the limit of {BYTES_MAX:,} bytes for a scenario")
    return lines


def parsed(path: Path) -> Text:
    """What stands in a file, in order.

    Raises:
        BadInput: it is no text of a scenario; with file and line.
    """
    text, lines = Text(), _lines(path)
    for number, line in enumerate(lines, start=1):
        where = f"{path}: line {number}"
        word, _, rest = line.strip().partition(" ")
        if word in HEADER:
            if text.steps:
                raise BadInput(f"{where}: expected {word!r} before the first step")
            if word in text.header:
                raise BadInput(f"{where}: a second {word!r}; expected one")
            if not rest.strip():
                raise BadInput(f"{where}: expected text behind {word!r}")
            text.header[word] = number, rest.strip() if word == "claim" else _without_comment(rest)
            continue
        words = _without_comment(line).split()
        if words[:1] == [EXPECT]:
            if not text.steps:
                raise BadInput(f"{where}: expected a step before what is expected of it")
            text.expected.append((number, len(text.steps), " ".join(words[1:])))
        elif words:
            text.steps.append((number, words))
            if len(text.steps) > STEPS_MAX:
                raise BadInput(f"{where}: has more steps than the limit of {STEPS_MAX:,} for a scenario")
    if not text.steps:
        raise BadInput(f"{path}: line {len(lines)}: expected a step, such as 'ACTION ARGUMENT ...', found none")
    return text


def _without_comment(line: str) -> str:
    return re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()


def _required(path: Path, text: Text, word: str, first: int) -> tuple[int, str]:
    if word not in text.header:
        raise BadInput(f"{path}: line {first}: expected a line '{word} ...' before the first step, found none")
    return text.header[word]


def _protocol(path: Path, text: Text, protocols: Sequence[Protocol], first: int) -> tuple[Protocol, Variant | None]:
    line, name = _required(path, text, "protocol", first)
    stated = next((protocol for protocol in protocols if protocol.name == name), None)
    if stated is None:
        known = [protocol.name for protocol in protocols]
        raise BadInput(f"{path}: line {line}: {no_such('protocol', name, known)}")
    if "variant" not in text.header:
        return stated, None
    line, name = text.header["variant"]
    variants = {variant.name: variant for variant in stated.variants}
    if name not in variants:
        raise BadInput(f"{path}: line {line}: {no_such('variant', name, variants)}")
    return stated, variants[name]


def _configuration(where: str, path: Path, name: str, protocol: Protocol) -> Configuration:
    """The configuration of this name, or in this file beside the scenario; nothing is left out in it."""
    try:
        if Path(name).suffix:
            return load(path.parent / name, protocol).whole()
        return configurations.find(name, protocol).whole()
    except (BadInput, Problem) as problem:
        raise BadInput(f"{where}: {problem}") from problem


def _unmet(path: Path, text: Text, taken: Sequence[Taken], stated: Protocol, leaves: int | None) -> Iterator[str]:
    """A sentence for each expectation that is not met."""
    leaving = f"{LEAVES} {stated.name}"
    for line, step, expectation in text.expected:
        where = f"{path}: line {line}"
        if expectation.split(" ")[0] != LEAVES:
            try:
                found = unmet(expectation, taken[step - 1])
            except Malformed as problem:
                raise BadInput(f"{where}: {problem}") from problem
        elif expectation == leaving:
            found = (
                None if step == leaves else f"that {f'step {leaves}' if leaves else 'no step'} is the first that does"
            )
        else:
            raise BadInput(f"{where}: expected {leaving!r}, found {expectation!r}")
        if found is not None:
            yield f"{where}: step {step}: expected {expectation}, found {found}"
    if leaves is not None and all(expectation != leaving for _, _, expectation in text.expected):
        line, _ = text.steps[leaves - 1]
        raise BadInput(f"{path}: line {line}: leaves {stated.name}; write '{EXPECT} {leaving}' below this step")


def first_difference(trace: Trace, variant: Variant, protocol: Protocol) -> int | None:
    """The first step, from 1 on, that the protocol itself does not take, or takes with another result; None if there is none."""
    stated = interpreter_of(protocol, trace.configuration)
    changed = interpreter_of(protocol.with_variant(variant), trace.configuration)
    for number, step in enumerate(trace.steps):
        if step.action == variant.replaces.name and _differs(stated, changed, trace.states[number], step):
            return number + 1
    return None


def _differs(stated: Interpreter, changed: Interpreter, state: State, step: Occurrence) -> bool:
    return not stated.is_enabled(state, step) or stated.apply(state, step) != changed.apply(state, step)


# ----------------------------------------------------------------------------------------------------- writing


def dumps(trace: Trace, protocol: Protocol, *, expected: Mapping[int, Sequence[str]] | None = None) -> str:
    """The text of a scenario of this protocol, with its variant, if the trace is of one.

    `expected`: what is expected of steps, by their numbers from 1 on. That a step leaves the protocol is added.

    Raises:
        BadInput: the trace repeats for ever, or its configuration has no name.
    """
    name, _, changed = protocol.name.partition(" with ")
    of = trace.configuration
    if trace.loop is not None:
        raise BadInput("a run that repeats for ever is no scenario; name an ITF file (*.itf.json)")
    if _named(of.name, protocol) != of.whole():
        raise BadInput(f"{of.name} is no named configuration, as a scenario needs it; name an ITF file (*.itf.json)")
    variant = next((variant for variant in protocol.variants if variant.name == changed), None)
    header = {"claim": " ".join(trace.description.split()) or "A run.", "protocol": name}
    header |= {"variant": variant.name} if variant is not None else {}
    header |= {"configuration": of.name}
    leaves = first_difference(trace, variant, base(protocol)) if variant is not None else None
    lines = [f"{key:<14} {value}" for key, value in header.items()] + [""]
    for number, step in enumerate(trace.steps, start=1):
        lines.append(words_of(step))
        left = [f"{LEAVES} {name}"] if number == leaves else []
        lines += [f"  {EXPECT} {each}" for each in (*left, *(expected or {}).get(number, ()))]
    return "\n".join(lines) + "\n"


def _named(name: str, protocol: Protocol) -> Configuration | None:
    try:
        return configurations.find(name, protocol).whole()
    except Problem:
        return None


def written(path: Path, trace: Trace, protocol: Protocol, diverges_at: int | None = None) -> str:
    """The text of a trace for this file: a scenario if the name ends so, else an ITF file.

    `diverges_at`: the step, from 1 on, that leaves the protocol.

    Raises:
        BadInput: the trace cannot be written as a scenario.
    """
    if path.suffix == SUFFIX:
        return dumps(trace, protocol)
    return itf.dumps(trace, protocol, meta={"diverges_at": diverges_at} if diverges_at is not None else None)
