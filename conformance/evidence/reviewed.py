"""The reviewed list of a protocol: what a person has agreed to, which no command writes for all of it at once.

Whoever weakens a promise can make every generated file agree with it. So `conformance/data/reviewed` holds a file for each protocol
with every declaration that may weaken a verdict, every configuration, every scenario that is written by hand, and how the protocol
is replayed. `ondemand check` compares it with the statement, and only `ondemand review` changes it, for what it is given by name.

An entry holds the formula, so that the difference of this file shows what became weaker. Those of promises, eventualities and
witnesses also hold a digest, which covers the definitions that they read, and the sentence that `check` shows for them: it may not
say more than the formula. Other prose is no part of an entry.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from conformance import configurations
from conformance.data.files import OWN, kept
from conformance.evidence.witnesses import by_hand
from conformance.protocols import again, base, replayed
from conformance.replay.replays import vectors_of
from conformance.vectors import scenario
from impl.cli.exits import Exit, Problem
from model.language import Action, DeadlockWhen, Declaration, Definition, Lifecycle, Promise, Protocol, Sometimes
from model.language.actions import Alternatives
from model.language.claims import Eventuality, Variant
from model.language.declaration import content
from model.language.definitions import Move
from model.language.notation import change_notation, guard_lines, notation
from model.language.symbols import Message
from model.language.terms import TRUE, Enumeration, Formula, Role, Symbol, Variable
from model.reference.configuration import Configuration

DIGITS: Final = 16
WIDTH: Final = 120
KIND_OF: Final[Mapping[type, str]] = {
    Sometimes: "witness",
    Definition: "definition",
    Lifecycle: "definition",
    DeadlockWhen: "deadlock-condition",
}
"""The words for kinds of declarations that differ from the name of the class."""

OPENING: Final = """\
# What was reviewed of {name}. Only `ondemand review NAME` writes this file, and only the entries that it is given by name.
# Actions are stated in full: where no replay follows them, nothing else notices if somebody can do less.
"""

Entries = dict[tuple[str, str], str]
"""The text of each declaration, by kind and name."""


@dataclass(frozen=True)
class Difference:
    """A declaration, configuration or scenario that is not as it was reviewed."""

    protocol: Protocol
    kind: str
    name: str
    old: str | None
    """None: it is new."""
    new: str | None
    """None: it was deleted."""
    place: str

    @property
    def sentence(self) -> str:
        """What is different, where, and what to do."""
        if self.old is None:
            what = "was never reviewed"
        elif self.new is None:
            what = "was deleted since it was reviewed"
        elif _said(self.old) == _said(self.new):
            what = "reads a definition that was changed since it was reviewed"
        else:
            what = "was weakened or changed since it was reviewed"
        which, command = f"{self.kind.replace('-', ' ')} {self.name}", again(f"review {self.name}")
        return f"The {which} {what} ({self.place}). If that is meant, review it and run `{command}`."


def file_of(protocol: Protocol) -> Path:
    """The reviewed list of a protocol."""
    return kept("reviewed", f"{base(protocol).name}.toml")


def differences(protocol: Protocol) -> list[Difference]:
    """What of a protocol is not as it was reviewed.

    Raises:
        Problem: the list cannot be read.
        BadInput: a configuration is malformed.
    """
    old, now = read(file_of(protocol)), dict(entries(protocol))
    found = []
    for kind, name in dict.fromkeys([*now, *old]):
        was, new = old.get((kind, name)), now.get((kind, name))
        if was != new:
            found.append(Difference(protocol, kind, name, was, new, _place(kind, name, protocol, deleted=new is None)))
    return found


def review(chosen: Sequence[Difference]) -> None:
    """Writes these declarations, as they are now, into the lists of their protocols."""
    for protocol in dict.fromkeys(difference.protocol for difference in chosen):
        path, order = file_of(protocol), [key for key, _ in entries(protocol)]
        held = read(path)
        for one in chosen:
            if one.protocol is protocol:
                held.pop((one.kind, one.name), None)
                held |= {(one.kind, one.name): one.new} if one.new is not None else {}
        own = OWN / "reviewed" / path.name
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(_file(protocol, {key: held[key] for key in [*order, *held] if key in held}), encoding="utf-8")


def read(path: Path) -> Entries:
    """The entries of a list; none if there is no list.

    Raises:
        Problem: the file is not such a list.
    """
    if not path.exists():
        return {}
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return {(kind, name): text.strip("\n") for kind, held in data.items() for name, text in held.items()}
    except (OSError, ValueError, AttributeError) as problem:
        raise Problem(
            f"{path}: is no reviewed list ({problem}); take it from the repository", Exit.BAD_INPUT
        ) from problem


def _file(protocol: Protocol, held: Entries) -> str:
    sections: dict[str, list[str]] = {}
    for (kind, name), text in held.items():
        quoted = f"'''\n{text}\n'''" if "\n" in text else f"'{text}'"
        sections.setdefault(kind, [f"\n[{kind}]\n"]).append(f"{name} = {quoted}\n")
    return OPENING.format(name=protocol.name) + "".join(line for section in sections.values() for line in section)


# ------------------------------------------------------------------------------------------------------ what is listed


def entries(protocol: Protocol) -> Iterator[tuple[tuple[str, str], str]]:
    """Kind, name and text of every declaration that may weaken a verdict, and of every configuration and scenario by hand.

    Raises:
        TypeError: the protocol has something of a kind that is unknown here.
    """
    for field in fields(protocol):
        value = getattr(protocol, field.name)
        for one in value if isinstance(value, tuple) else (value,):
            match one:
                case str() | ModuleType() | None:
                    pass  # its name, and where it stands
                case Protocol():
                    yield ("protocol", "extends"), one.name
                case type():
                    yield ("sort", one.__name__), ", ".join(one.names()) if issubclass(one, Enumeration) else "any"
                case Symbol() if not isinstance(one, Message):
                    yield (one.kind, one.name), _text([_signature(one)])
                case Declaration():
                    yield (_kind(one), one.name), _text(_lines(one))
                case _:
                    raise TypeError(f"{field.name}: {one!r} is of a kind that {__name__} does not know")
    if how := replayed(base(protocol).name):
        yield ("protocol", "replayed"), how
    for name in configurations.paths(protocol):
        yield ("configuration", name), of_configuration(configurations.find(name, protocol), protocol)
    for path in by_hand(protocol):
        if path.suffix == scenario.SUFFIX:
            yield ("scenario", path.stem), _text(_run(scenario.parsed(path)))


def of_configuration(configuration: Configuration, protocol: Protocol) -> str:
    """What the list says of a configuration, or of another one under its name."""
    return _text([_use(configurations.path_of(configuration.name, protocol)), *_settings(configuration)])


def _run(text: scenario.Text) -> Iterator[str]:
    """What a scenario is a run of, a digest of its steps, and what it expects of which; so without its claim and comments."""
    yield ", ".join(" ".join([word, *said.split()]) for word, (_, said) in text.header.items() if word != "claim")
    steps = "\n".join(" ".join(words) for _, words in text.steps)
    yield f"{len(text.steps)} steps, {hashlib.sha256(steps.encode()).hexdigest()[:DIGITS]}"
    yield from (f"step {step}: {scenario.EXPECT} {' '.join(said.split())}" for _, step, said in text.expected)


def _kind(one: Declaration) -> str:
    if isinstance(one, Promise) and one.lemma:
        return "lemma"
    return KIND_OF.get(type(one), re.sub(r"(?<=.)([A-Z])", r"-\1", type(one).__name__).lower())


def _lines(one: Declaration) -> Iterator[str]:
    """What a declaration states, in notation; of what is checked or asked by itself also the digest."""
    if isinstance(one, Promise | Eventuality | Sometimes) and not getattr(one, "lemma", False):
        yield f"“{' '.join(one.doc.split())}”"
    match one:
        case Role():
            said = {name: value for name, value in vars(one).items() if name not in ("doc", "name") and value}
            yield ", ".join(f"{name} {getattr(value, '__name__', value)}" for name, value in said.items()) or "one"
        case Action():
            obliged = f"fair, by {one.role.name}" if one.fair else f"by {one.role.name}, never obliged to"
            yield f"{obliged}{_of(one.parameters)}"
            yield from _guard(one)
            yield from _effect(one)
        case Variant():
            yield f"instead of {one.replaces.name}, breaks {_names(one.breaks)}"
            right, wrong = ([*_guard(each), *_effect(each)] for each in (one.replaces, one.action))
            yield from (f"without: {line}" for line in right if line not in wrong)
            yield from (f"with: {line}" for line in wrong if line not in right)
        case Message():
            more = ", lasting" if one.lasting else ""
            yield f"from {one.sender.name} to {one.receiver.name}{more}{_of(one.parameters)}, spent when"
            yield notation(one.spent)
        case Definition():
            yield f"{type(one).__name__.lower()}{_of(one.parameters)}"
            yield notation(one.value.node)
        case Alternatives():
            yield f"exactly one of {_names(one.choices)}{_of(one.parameters)}, if"
            yield notation(one.given)
        case Promise(lemma=True):
            yield f"{one.kind}{_weakens(one)}{_of(one.parameters)}"
            yield notation(one.formula)
        case Promise():
            yield f"{one.kind}{_weakens(one)}{_of(one.parameters)}, witnesses: {_names(one.sometimes)}"
            yield notation(one.formula)
            yield _digest(one)
        case Eventuality():
            yield f"eventually{_of(one.parameters)}, witnesses: {_names(one.sometimes)}"
            yield f"whenever {notation(one.premise)}"
            yield f"then {notation(one.conclusion)}"
            yield _digest(one)
        case _:  # a condition, of whatever kind
            parameters, formula = getattr(one, "parameters", None), getattr(one, "formula", None)
            if parameters is None or formula is None:
                raise TypeError(f"{one!r} is of a kind that {__name__} does not know")
            yield f"{_kind(one)}{_of(parameters)}"
            yield notation(formula)
            yield _digest(one)


def _signature(symbol: Symbol) -> str:
    """Of what a relation or function is, and who holds it: logs need not tell what nobody holds, and say only their own."""
    of = ", ".join(sort.__name__ for sort in symbol.arguments)
    to = "" if symbol.result is Formula else f" to {symbol.result.__name__}"
    return f"of {of}{to}{f', held by {symbol.holder.name}' if symbol.holder else ''}"


def _guard(action: Action) -> Iterator[str]:
    return (f"when {line}" for line in guard_lines(action))


def _effect(action: Action) -> Iterator[str]:
    yield from (f"then {change_notation(change)}" for change in action.changes)
    yield from (f"emits {notation(event)}" for event in action.emits)
    yield from map(_moved, action.moves)


def _moved(move: Move) -> str:
    moved = f"{move.lifecycle.name}({', '.join(map(notation, move.arguments))})"
    sources, targets = (" or ".join(map(notation, states)) for states in (move.sources, move.targets))
    where = "" if move.condition == TRUE.node else f" where {notation(move.condition)}"
    return f"moves {moved}{_of(move.binders)} from {sources} to {targets}{where}"


def _weakens(promise: Promise) -> str:
    return f", weakens {promise.weakens.name}" if promise.weakens else ""


def _digest(claim: Declaration) -> str:
    return f"digest {hashlib.sha256(content(claim).encode()).hexdigest()[:DIGITS]}"


def _of(parameters: Sequence[Variable]) -> str:
    of = ", ".join(f"{parameter.name}: {parameter.sort.__name__}" for parameter in parameters)
    return f", for {of}" if of else ""


def _names(declared: Iterable[Declaration]) -> str:
    return ", ".join(each.name for each in declared) or "none"


def _text(lines: Iterable[str]) -> str:
    wrapped = (textwrap.wrap(line, WIDTH, break_long_words=False, break_on_hyphens=False) for line in lines)
    return "\n".join(itertools.chain.from_iterable(wrapped))


def _use(path: Path) -> str:
    """Which engine reads a configuration: the folder decides that."""
    uses = {configurations.LIVE: "to decide eventualities in", configurations.SCENARIOS: "for scenarios alone"}
    return uses.get(path.parent.name, "to explore")


def _settings(configuration: Configuration) -> Iterator[str]:
    """What a configuration says, without its prose; of its pinned counts, which are results, only which there are."""
    if configuration.pinned:
        yield f"pinned: {', '.join(sorted(configuration.pinned))}"
    for field in fields(configuration):
        value = getattr(configuration, field.name)
        if field.name not in ("name", "doc", "pinned") and value not in (None, {}, frozenset(), ()):
            yield f"{field.name}: {_plain(value)}"


def _plain(value: Any) -> str:
    match value:
        case Mapping():
            return "; ".join(f"{_plain(key)} = {_plain(each)}" for key, each in value.items())
        case frozenset():
            return ", ".join(sorted(map(_plain, value)))
        case tuple():
            return "(" + ", ".join(map(_plain, value)) + ")"
    return str(value)


# ------------------------------------------------------------------------------------------------------------- where


def _said(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("digest ")]


def _place(kind: str, name: str, protocol: Protocol, *, deleted: bool) -> str:
    """File and line: of a deleted declaration, in the list."""
    if deleted:
        return _line_in(file_of(protocol), rf"{re.escape(name)} =")
    if kind == "configuration":
        return os.path.relpath(configurations.path_of(name, protocol))
    if kind == "scenario":
        return os.path.relpath(vectors_of(protocol) / f"{name}{scenario.SUFFIX}")
    for module in protocol.modules:
        one = vars(module).get(name)
        if isinstance(one, Declaration) and one.source is not None:
            return f"{os.path.relpath(one.source.file)}, line {one.source.line}"
        if isinstance(one, Declaration | type) and module.__file__ is not None:
            place = _line_in(Path(module.__file__), rf"(class )?{re.escape(name)}\b")
            if "line" in place:
                return place
    return protocol.name


def _line_in(path: Path, pattern: str) -> str:
    """The first line of a file that begins so."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if re.match(pattern, line):
            return f"{os.path.relpath(path)}, line {number}"
    return os.path.relpath(path)
