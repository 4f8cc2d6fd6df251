"""The context of a divergence as a sequence diagram: the recently matched lines that are most related to it.

Lines are the more related the more hosts, pods and requests they both name; the line that sent what the other took ranks highest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Final

from conformance.logs.reading import Record
from conformance.logs.verdict import Divergence
from conformance.report.diagram import Arrow, Diagram, Note, printable
from impl.events.line import MESSAGE_ID
from model.explaining.reasons import Message, call
from model.language import Action, Protocol
from model.language.terms import Variable
from model.reference.state import Tuple

LINES_MAX: Final = 5
"""Lines shown before the one that does not fit."""

LIFELINES_MAX: Final = 4
"""Lifelines that fit into 100 columns."""


def context_diagram(divergence: Divergence) -> Diagram:
    """The diagram. Each step carries its line number."""
    record, protocol = divergence.record, divergence.protocol
    shown = [*_related(divergence.recent, record), record]
    names = _lifelines(shown)
    shown = [item for item in shown if item.line.process in names]
    places = {name: place for place, name in enumerate(names)}
    rows: list[Arrow | Note] = []
    for item in shown:
        arrow = _taken(item, protocol, places, shown)
        if arrow is not None:
            rows.append(arrow)
        mark = "✗ " if item is record else ""
        rows.append(Note(places[item.line.process], item.number, printable(f"{mark}{_step(item)}")))
    return Diagram("", tuple(_titled(name) for name in names), tuple(rows))


def _related(recent: Sequence[Record], record: Record) -> list[Record]:
    """The recent lines most related to this one, later ones first on ties, in the order in which they were matched."""
    ranked = []
    for place, candidate in enumerate(recent):
        score = len(_names(candidate) & _names(record))
        if record.line.taken is not None and _sent_it(candidate, record.line.taken):
            score += 10
        if score > 0:
            ranked.append((score, place, candidate))
    best = sorted(nlargest(LINES_MAX, ranked, key=lambda found: found[:2]), key=lambda found: found[1])
    return [candidate for _, _, candidate in best]


def _names(record: Record) -> set[str]:
    """The hosts, pods and requests that a line names. Numbers are ignored: they mean nothing by themselves."""
    names = {value for value in record.line.attributes.values() if isinstance(value, str)}
    host = record.line.process.partition("/")[2]
    return names | {host} if host else names


def _sent_it(record: Record, taken: str) -> bool:
    line = record.line
    return taken.startswith(f"{line.process}:{line.run}:{line.sequence}.")


@dataclass(frozen=True)
class Origin:
    """The line that sent what another line took, by the id of the message."""

    record: Record
    message: Message | None
    """The message with that id; None if the line sent none."""

    def __str__(self) -> str:
        where = f"line {self.record.number} of {self.record.file}"
        if self.message is None:
            return f"{where}, which sent it according to the id, sent no such message"
        return f"the message of this id, sent in {where}, was {call(str(self.message[0]), self.message[1:])}"


def origin_of(divergence: Divergence) -> Origin | None:
    """The origin of what the line took; None if it took nothing, or the origin is no longer kept."""
    taken = divergence.record.line.taken
    found = MESSAGE_ID.fullmatch(taken or "")
    if taken is None or found is None:
        return None
    for item in reversed(divergence.recent):
        if _sent_it(item, taken):
            sent, index = item.line.sent or (), int(found["index"])
            return Origin(item, sent[index] if index < len(sent) else None)
    return None


def _lifelines(shown: Sequence[Record]) -> list[str]:
    """The processes of these lines in a fixed order; of too many, those of the latest lines."""
    names = list(dict.fromkeys(item.line.process for item in reversed(shown)))[:LIFELINES_MAX]
    order = {"dpm": 0, "ncm": 1}
    return sorted(names, key=lambda name: (order.get(name, 2), name))


def _titled(name: str) -> str:
    role, _, host = name.partition("/")
    return f"{role.upper()} {host}".strip()


def _step(record: Record) -> str:
    line = record.line
    role = line.process.partition("/")[2]
    values = tuple(value for key, value in line.attributes.items() if not (key == "host" and value == role))
    return call(line.event.rpartition(".")[2], values)


def _taken(record: Record, protocol: Protocol, places: dict[str, int], shown: Sequence[Record]) -> Arrow | None:
    """The arrow for the message that a line took; None if it took none, or its sender is not shown."""
    line = record.line
    action = next(
        (each_action for each_action in protocol.actions if f"{protocol.name}.{each_action.name}" == line.event), None
    )
    message = _message(action, record) if action is not None else None
    if message is None:
        return None
    found = MESSAGE_ID.fullmatch(line.taken or "")
    sender = found["process"] if found is not None else _sender(message, shown)
    if sender not in places or sender == line.process:
        return None
    name, arguments = message
    return Arrow(places[sender], places[line.process], printable(call(name, arguments)), True)


def _message(action: Action, record: Record) -> tuple[str, Tuple] | None:
    """The message that an action takes with the choices of a line."""
    given = record.line.attributes
    for taken in action.takes:
        names = [argument.name for argument in taken.arguments if isinstance(argument, Variable)]
        if len(names) == len(taken.arguments) and all(name in given for name in names):
            return taken.symbol.name, tuple(given[name] for name in names)
    return None


def _sender(message: tuple[str, Tuple], shown: Sequence[Record]) -> str:
    """The process of a shown line that sent the message; empty if there is none."""
    wanted = (message[0], *message[1])
    return next((item.line.process for item in shown if wanted in (item.line.sent or ())), "")
