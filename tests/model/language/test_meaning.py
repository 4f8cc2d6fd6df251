"""A declaration without a meaning is in no protocol, so no engine is asked about it: engines disagreed about some."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Final

import pytest

from model.language import Protocol
from model.language.declaration import Misdeclared

BASE: Final = """
from model.language import *
from model.language.quantifiers import forall
from model.language.terms import Enumeration, Formula, Individual, Member, Number, Value, implies

class Thing(Individual):
    pass
class Phase(Enumeration):
    first = Member("The first.")
R = Role("Acts.")
r = relation(Thing, doc="A relation.")
into = function(Thing, to=Phase, doc="A function.")
fixed = relation(Thing, doc="A constant.", kind="constant")
once = relation(Thing, doc="History.", kind="history")
was = function(Thing, to=Phase, doc="History.", kind="history")
in_phase = relation(Phase, doc="A relation.")
said = event(Thing, Thing, doc="An event.")
STRAY = Thing.variable("stray")
LEAKED = []

def leaks(t: Thing) -> Formula:
    forall(Thing, lambda it: LEAKED.append(it) or r(it))
    return r(LEAKED[-1])
"""

ACTION: Final = "@action(by=R)\ndef act(t: Thing) -> Step:\n    return Step({})\n"
MESSAGE: Final = "@message(sender=R, receiver=R)\ndef note(t: Thing) -> Formula:\n    return {}\n"
PROMISE: Final = "@always()\ndef holds(t: Thing) -> Formula:\n    return {}\n"
EVENTUALITY: Final = "@eventually()\ndef comes(t: Thing) -> LeadsTo:\n    return leads_to(r(t), {})\n"
CLAIM: Final = "@{}\ndef claim(t: Thing) -> Formula:\n    return {}\n"
VARIANT: Final = (
    ACTION.format("")
    + "@variant(replaces=act, breaks=[])\ndef wrong(t: Thing) -> Step:\n    return act.but(then=[said.add(t, t)])\n"
)
LIFECYCLE: Final = "@lifecycle(holder=R)\ndef phase(t: Thing) -> Phase:\n    return {}\n"
TRANSIENT: Final = "an event or the state after the step"
LEAKING: Final = "reads …, a thing that is not one of its parameters"

FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "a guard of history": (ACTION.format("when=[once(t)]"), "act: its guard reads history (once)"),
    "a guard of an event": (ACTION.format("when=[said(t, t)]"), f"act: its guard reads {TRANSIENT}"),
    "a guard of later": (ACTION.format("when=[r.after(t)]"), f"act: its guard reads {TRANSIENT}"),
    "a guard of nobody's variable": (
        ACTION.format("when=[r(STRAY)]"),
        "act: reads stray, a thing that is not one of its parameters",
    ),
    "an event that is added": (ACTION.format("then=[said.add(t, t)]"), "act: changes the event said"),
    "an event that is removed": (ACTION.format("then=[said.remove(t, t)]"), "act: changes the event said"),
    "an event that is assigned": (ACTION.format("then=[said.assign(t, t, to=r(t))]"), "act: changes the event said"),
    "a constant that is changed": (ACTION.format("then=[fixed.add(t)]"), "act: changes the constant fixed"),
    "a change by history": (ACTION.format("then=[r.assign(t, to=once(t))]"), "act: history decides the change of r"),
    "a change where history was": (
        ACTION.format("then=[r.add(t).when(once(t))]"),
        "act: history decides the change of r",
    ),
    "a change at history": (
        ACTION.format("then=[in_phase.add(was(t))]"),
        "act: history decides the change of in_phase",
    ),
    "a change by an event": (ACTION.format("then=[r.add(t).when(said(t, t))]"), f"act: its update reads {TRANSIENT}"),
    "a change by what comes": (
        ACTION.format("then=[into.assign(t, to=into.after(t))]"),
        f"act: its update reads {TRANSIENT}",
    ),
    "a change of nobody": (
        ACTION.format("then=[r.add(STRAY)]"),
        "act: reads stray, a thing that is not one of its parameters",
    ),
    "a move of nobody": (
        LIFECYCLE.format("into(t)") + ACTION.format("moves=[phase.move(STRAY, source=[Phase.first], to=[])]"),
        "act: reads stray, a thing that is not one of its parameters",
    ),
    "a variant that changes an event": (VARIANT, "wrong: changes the event said"),
    "a message spent by history": (MESSAGE.format("once(t)"), "note: whether it is spent depends on history"),
    "a message spent by an event": (MESSAGE.format("said(t, t)"), f"note: whether it is spent depends on {TRANSIENT}"),
    "a message spent by nobody": (MESSAGE.format("leaks(t)"), f"note: {LEAKING}"),
    "a promise about an event": (PROMISE.format("said(t, t)"), f"holds: a promise about states reads {TRANSIENT}"),
    "a promise about later": (PROMISE.format("r.after(t)"), f"holds: a promise about states reads {TRANSIENT}"),
    "a promise about nobody": (PROMISE.format("leaks(t)"), f"holds: {LEAKING}"),
    "a lemma about nobody": (CLAIM.format("lemma", "leaks(t)"), f"claim: {LEAKING}"),
    "a step about nobody": (CLAIM.format("two_state()", "leaks(t)"), f"claim: {LEAKING}"),
    "a witness of nobody": (CLAIM.format("sometimes", "leaks(t)"), f"claim: {LEAKING}"),
    "a definition of nobody": (CLAIM.format("definition", "leaks(t)"), f"claim: {LEAKING}"),
    "an eventuality of an event": (EVENTUALITY.format("said(t, t)"), f"comes: an eventuality reads {TRANSIENT}"),
    "an eventuality of nobody": (EVENTUALITY.format("leaks(t)"), f"comes: {LEAKING}"),
    "a deadlock by an event": (
        CLAIM.format("deadlock_when", "said(t, t)"),
        f"claim: where standing still is a deadlock reads {TRANSIENT}",
    ),
    "a deadlock of nobody": (CLAIM.format("deadlock_when", "leaks(t)"), f"claim: {LEAKING}"),
    "an assumption about state": (
        CLAIM.format("assumption", "r(t)"),
        "claim: an assumption is about constants, and it reads r",
    ),
    "an assumption about history": (
        CLAIM.format("assumption", "fixed(t) & ~once(t)"),
        "claim: an assumption is about constants, and it reads once",
    ),
    "alternatives by an event": (
        ACTION.format("") + CLAIM.format("alternatives(act)", "said(t, t)"),
        f"claim: when exactly one applies depends on {TRANSIENT}",
    ),
    "alternatives of nobody": (ACTION.format("") + CLAIM.format("alternatives(act)", "leaks(t)"), f"claim: {LEAKING}"),
    "a lifecycle of later": (
        LIFECYCLE.format("into.after(t)"),
        f"phase: the state of a lifecycle depends on {TRANSIENT}",
    ),
    "a class of values that is no sort": (
        "class Pair(Value):\n    pass\n",
        "Pair is no sort; make it a subclass of Individual, Number or Enumeration, and of one of them only",
    ),
    "a class of two sorts": (
        "class Pair(Individual, Number):\n    pass\n",
        "Pair is no sort; make it a subclass of Individual, Number or Enumeration, and of one of them only",
    ),
}


def protocol_of(more: str) -> Protocol:
    """The protocol of a module with these declarations."""
    module = ModuleType("stated")
    exec(compile(BASE + more, "stated.py", "exec"), vars(module))  # noqa: S102 # the text of this file
    return Protocol.of("stated", module)


@pytest.mark.parametrize(("more", "sentence"), FAULTS.values(), ids=FAULTS.keys())
def test_what_engines_would_disagree_about_is_in_no_protocol(more: str, sentence: str) -> None:
    with pytest.raises(Misdeclared) as refused:
        protocol_of(more)
    before, _, behind = sentence.partition("…")
    assert refused.value.sentence.startswith(before)
    assert refused.value.sentence.endswith(behind or before)
    assert len(refused.value.sentence) <= len(sentence) + 5


def test_what_these_are_made_of_is_right() -> None:
    protocol_of(
        ACTION.format("when=[r(t)], then=[once.assign(t, to=once(t)), in_phase.add(into(t))], emits=[said(t, t)]")
        + MESSAGE.format("r(t)")
        + PROMISE.format("r(t)")
        + EVENTUALITY.format("r(t)")
        + LIFECYCLE.format("into(t)")
        + CLAIM.format("two_state()", "implies(said(t, t), r.after(t))")
    )
