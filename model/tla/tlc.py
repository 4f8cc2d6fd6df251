"""A bounded model of a protocol for TLC: a module that gives the constants of the protocol's module, and TLC's configuration.

TLC finds the same states as the explorer that keeps all fields (`everything=True`), and gives the same verdict on every promise.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from model.language import Eventuality, Promise, Protocol
from model.language.terms import Number
from model.reference.configuration import Configuration, refuse_misread
from model.reference.state import Element
from model.tla.expressions import WIDTH, lines, quoted
from model.tla.module import AND, OR, Module, identifier

GIVEN: Final = "world_"
"""The prefix of the names of the model's definitions."""


@dataclass(frozen=True)
class World:
    """A bounded model: the name of its module, which is TLC's argument, and its two files."""

    name: str
    text: str
    configuration: str


def world(
    protocol: Protocol,
    configuration: Configuration,
    exported: Module,
    *,
    promises: Sequence[Promise] | None = None,
    eventualities: Sequence[Eventuality] | None = None,
    forget_spent: bool = True,
    deadlocks: bool = True,
) -> World:
    """The model of a configuration.

    `promises`: those that TLC checks; by default all but the lemmas. `eventualities`: likewise; by default those that the
    configuration names, or all. `forget_spent`: whether spent messages are discarded, which `model.proof.forgetting` must allow.
    `deadlocks`: whether to check for deadlocks.
    """
    refuse_misread(protocol, configuration)
    checked = [promise for promise in protocol.promises if not promise.lemma] if promises is None else promises
    meant = configuration.eventually
    awaited = [eventuality for eventuality in protocol.eventualities if meant is None or eventuality.name in meant]
    if eventualities is not None:
        awaited = list(eventualities)
    name = identifier(f"{exported.name}_{configuration.name}")
    defined = dict(_definitions(protocol, configuration, exported))
    text = "\n\n".join(
        [
            f" MODULE {name} ".center(WIDTH, "-"),
            *(
                "\n".join(f"\\* {line}" for line in textwrap.wrap(text, WIDTH - 3))
                for text in (configuration.doc,)
                if text
            ),
            f"EXTENDS {exported.name}, TLC",
            *(f"{GIVEN}{constant} == {value}" for constant, value in defined.items()),
            _allows(protocol, configuration),
            "=" * WIDTH,
        ]
    )
    given = [f"{constant} <- {GIVEN}{constant}" for constant in (*defined, "Allows")]
    if exported.sends:
        given.append(f"Forgets = {'TRUE' if forget_spent else 'FALSE'}")
    steps = [promise for promise in protocol.promises if promise.kind == "two-state"]
    if steps:
        given.append(f"Watched = {_set(quoted(step.name) for step in steps if step in checked)}")
    invariants = ["Types", *(exported.invariants[claim] for claim in checked)]
    if deadlocks:
        invariants.append(exported.deadlock)
    sections = [
        f"\\* java -cp tla2tools.jar tlc2.TLC -deadlock -lncheck final -config {name}.cfg {name}.tla",
        "SPECIFICATION Spec",
        _section("CONSTANTS", given),
        _section("INVARIANTS", invariants),
        *([_section("PROPERTIES", [exported.properties[claim] for claim in awaited])] if awaited else []),
    ]
    return World(name, text + "\n", "\n".join(sections) + "\n")


def _section(word: str, entries: Sequence[str]) -> str:
    return "\n  ".join([word, *entries])


def _definitions(protocol: Protocol, configuration: Configuration, exported: Module) -> Iterator[tuple[str, str]]:
    """The value of each constant in this model, by its name in the module."""
    for sort in protocol.sorts:
        yield exported.sorts[sort], _set(map(quoted, configuration.sorts[sort.__name__]))
    for number in protocol.numbers:
        yield exported.sorts[number], f"0..{configuration.bounds[number.__name__]}"
    for symbol, name in exported.constants.items():
        chosen = configuration.constants[symbol.name]
        if isinstance(chosen, Mapping):
            yield name, " @@ ".join(f"{_key(key)} :> {_element(value)}" for key, value in sorted(chosen.items()))
        else:
            yield name, _set(map(_key, sorted(chosen)))


def _set(members: Iterable[str]) -> str:
    return f"{{{', '.join(members)}}}"


def _key(key: Sequence[Element]) -> str:
    return _element(key[0]) if len(key) == 1 else f"<<{', '.join(map(_element, key))}>>"


def _element(value: Element) -> str:
    return quoted(value) if isinstance(value, str) else str(value)


def _allows(protocol: Protocol, configuration: Configuration) -> str:
    """The choices to which an action is restricted."""
    cases = []
    for action in protocol.actions:
        if action.name in configuration.without:
            cases.append(f"action = {quoted(action.name)} -> FALSE")
            continue
        patterns = configuration.only.get(action.name)
        if patterns is None:
            continue
        ways = []
        for pattern in patterns:
            parts = []
            for place, (wanted, parameter) in enumerate(zip(pattern, action.parameters, strict=True), start=1):
                if wanted != "*":
                    value = wanted if issubclass(parameter.sort, Number) else quoted(wanted)
                    parts.append(f"choices[{place}] = {value}")
            ways.append(f" {AND} ".join(parts) or "TRUE")
        # Choices that are allowed in two ways are compared with TRUE, as guards are.
        kept = f"({lines(OR, ways, 10)}) = TRUE" if len(ways) > 1 else next(iter(ways), "FALSE")
        cases.append(f"action = {quoted(action.name)} ->\n         {kept}")
    if not cases:
        return f"{GIVEN}Allows(action, choices) == TRUE"
    joined = "\n    [] ".join([*cases, "OTHER -> TRUE"])
    return f"{GIVEN}Allows(action, choices) ==\n  CASE {joined}"
