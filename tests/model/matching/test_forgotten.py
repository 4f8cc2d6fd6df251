"""What may be discarded is derived from the statement: if a step reads it, it may not be."""

from __future__ import annotations

from dataclasses import replace

from model.language import Protocol
from model.language.terms import Formula
from model.matching.forgotten import FORGOTTEN, counted, settled
from model.matching.layout import Layout, Tables
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from spec.on_demand.vocabulary import Change, Host, Pod, Request, Version, change, outcome, used

ENDS = frozenset({"done", "superseded", "failed"})


def asking(protocol: Protocol, name: str, more: Formula) -> Protocol:
    """The protocol with one more conjunct in an action's guard."""
    made = []
    for action in protocol.actions:
        other = action
        if action.name == name:
            other = replace(action, guard=(*action.guard, more.node))
            object.__setattr__(other, "name", name)
        made.append(other)
    return replace(protocol, actions=tuple(made))


def test_what_became_of_a_version_may_be_forgotten_when_it_has_ended() -> None:
    assert settled(ON_DEMAND) == {"outcome": ENDS, "change": ENDS}
    assert settled(MESSAGE_QUEUE) == {"outcome": ENDS}


def test_a_value_that_a_step_asks_for_is_not_forgotten() -> None:
    report = next(action for action in ON_DEMAND.actions if action.name == "report_done")
    pod, version = report.parameters
    of = change(Pod(pod), Version(version))
    assert settled(asking(ON_DEMAND, "report_done", of == Change.done))["change"] == ENDS - {"done"}
    assert settled(asking(ON_DEMAND, "report_done", of == outcome(Pod(pod), Version(version)))) == {}


def test_what_steps_only_ask_not_to_be_there_is_counted() -> None:
    assert counted(ON_DEMAND) == {"used"}
    assert counted(MESSAGE_QUEUE) == set()
    ask = next(action for action in ON_DEMAND.actions if action.name == "ask")
    host, asked_by = ask.parameters[:2]
    wanted = used(Host(host), Request(asked_by))
    assert counted(asking(ON_DEMAND, "ask", wanted)) == set()


def test_a_forgotten_value_is_neither_the_first_one_nor_under_way() -> None:
    tables = Tables(Layout.of(ON_DEMAND), {})
    tables.gone["change"].add(("red/1", 1))
    for item in (tables, tables.copy()):
        assert item.get("change", ("red/1", 1)) == FORGOTTEN
        assert item.get("change", ("red/1", 2)) == "none"
        assert FORGOTTEN not in Change.names()
