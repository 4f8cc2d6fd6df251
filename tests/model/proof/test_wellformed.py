"""Every fault in a protocol's text, and every unsound discarding of messages, is detected: each is planted in the toy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from model.language import (
    Action,
    Alternatives,
    Declaration,
    Eventuality,
    LeadsTo,
    Lifecycle,
    Message,
    Promise,
    Protocol,
    Relation,
    Step,
    Symbol,
    action,
    alternatives,
    always,
    event,
    eventually,
    leads_to,
    lemma,
    lifecycle,
    message,
    relation,
    two_state,
)
from model.language.terms import Enumeration, Formula, Member, choose
from model.proof.prove import prove
from model.proof.wellformed import wellformed
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from spec.on_demand.vocabulary import Host, Pod, told
from tests.toys import lock
from tests.toys.configurations import LOCK
from tests.toys.lock import CLIENT, SERVER, Client, Turn, give_back, holds, lend, promise, promised, taken, used


class Stage(Enumeration):
    """The state of a client."""

    without = Member("It has no lock.")
    owner = Member("It has the lock.")


once = relation(Client, doc="History: the client held the lock once.", kind="history")
registered = relation(Client, doc="A constant: the client may have the lock.", kind="constant")


def named(**declared: Declaration) -> None:
    """Gives declarations the names that `Protocol.of` would."""
    for name, one in declared.items():
        object.__setattr__(one, "name", name)


named(once=once, registered=registered)


def with_action(changed: Action, name: str, *symbols: Symbol) -> Protocol:
    """The toy with one action replaced, and additional symbols."""
    named(**{name: changed})
    actions = tuple(changed if each_action.name == name else each_action for each_action in LOCK.actions)
    return replace(LOCK, actions=actions, symbols=(*LOCK.symbols, *symbols))


def with_promise(added: Promise, name: str) -> Protocol:
    """The toy with one more promise."""
    named(**{name: added})
    return replace(LOCK, promises=(*LOCK.promises, added))


def faults(protocol: Protocol) -> str:
    """The faults of its text."""
    return wellformed(protocol).claims[0].because


def test_the_toy_is_well_formed() -> None:
    assert wellformed(LOCK).verdict == "holds"


def test_a_guard_that_reads_history_is_a_fault() -> None:
    @action(by=CLIENT)
    def changed(client: Client) -> Step:
        """It reads history."""
        return Step(when=[holds(client), once(client)], then=[holds.remove(client)])

    assert "give_back: its guard reads history (once)" in faults(with_action(changed, "give_back", once))


def test_history_that_decides_what_is_not_history_is_a_fault() -> None:
    @action(by=CLIENT)
    def changed(client: Client) -> Step:
        """History decides."""
        return Step(when=[holds(client)], then=[holds.remove(client).when(once(client))])

    assert "give_back: history decides the change of holds" in faults(with_action(changed, "give_back", once))


def test_a_guard_that_reads_an_event_is_a_fault() -> None:
    @action(by=CLIENT)
    def changed(client: Client) -> Step:
        """It reads an event."""
        return Step(when=[holds(client), used(client, taken(client))], then=[holds.remove(client)])

    assert "give_back: its guard reads an event" in faults(with_action(changed, "give_back"))


def test_a_changed_constant_is_a_fault() -> None:
    @action(by=CLIENT)
    def changed(client: Client) -> Step:
        """It changes a constant."""
        return Step(when=[holds(client)], then=[registered.remove(client)])

    assert "give_back: changes the constant registered" in faults(with_action(changed, "give_back", registered))


def test_a_message_that_history_spends_is_a_fault() -> None:
    @message(sender=SERVER, receiver=CLIENT)
    def forgotten(client: Client) -> Formula:
        """Spent when the client held the lock once."""
        return once(client)

    named(forgotten=forgotten)
    protocol = replace(LOCK, symbols=(*LOCK.symbols, once, forgotten))
    assert "forgotten: whether it is spent depends on history" in faults(protocol)


@pytest.mark.parametrize(
    "formula",
    [lambda client: holds.after(client), lambda client: ~used(client, Turn.of(1))],
    ids=["after", "event"],
)
def test_a_promise_about_states_that_reads_a_step_is_a_fault(formula: Callable[[Client], Formula]) -> None:
    def declared(client: Client) -> Formula:
        """A promise about states."""
        return formula(client)

    assert "hasty: a promise about states reads an event or the state after the step" in faults(
        with_promise(always()(declared), "hasty")
    )


def test_a_promise_without_a_sometimes_is_a_fault() -> None:
    @two_state()
    def bare(client: Client) -> Formula:
        """It may be vacuous."""
        return holds(client) | ~holds(client)

    said = faults(with_promise(bare, "bare"))
    assert "bare: has no sometimes, and may be vacuous" in said
    assert "bare: no variant breaks it" in said


def test_what_nothing_explains_is_a_fault() -> None:
    @action(by=CLIENT)
    def changed(client: Client) -> Step:
        """ """
        return Step(when=[holds(client)], then=[holds.remove(client)])

    assert "give_back: has no describing sentence" in faults(with_action(changed, "give_back"))


# ------------------------------------------------------------------------------------------------- by proof


def verdict_of(group: Alternatives) -> tuple[str, str]:
    """The verdict on the alternatives."""
    named(group=group)
    claim = next(
        each_claim
        for each_claim in wellformed(replace(LOCK, alternatives=(group,))).claims
        if each_claim.kind == "alternatives"
    )
    return claim.verdict, claim.because


def test_alternatives_of_which_none_may_apply_are_noticed() -> None:
    @alternatives(give_back)
    def group(client: Client) -> Formula:
        """Not total: the client may have no lock."""
        return promised(client)

    verdict, because = verdict_of(group)
    assert verdict == "violated"
    assert because == "none of them may be enabled"


def test_alternatives_of_which_two_may_apply_are_noticed() -> None:
    @alternatives(give_back, promise)
    def group(client: Client, other: Client) -> Formula:
        """Both are enabled, since the promise names no client."""
        return holds(client)

    verdict, because = verdict_of(replace_guard(group))
    assert verdict == "violated"
    assert "may both be enabled" in because


def replace_guard(group: Alternatives) -> Alternatives:
    """The same, with the second choice always enabled."""
    always_enabled = replace(group.choices[1], guard=())
    named(promise=always_enabled)
    return replace(group, choices=(group.choices[0], always_enabled))


def test_a_lifecycle_that_moves_undeclared_is_noticed() -> None:
    @lifecycle(holder=CLIENT)
    def stage(client: Client) -> Stage:
        """The state of a client."""
        return choose(holds(client), Stage.owner, Stage.without)

    named(stage=stage)
    assert isinstance(stage, Lifecycle)
    protocol = replace(LOCK, definitions=(*LOCK.definitions, stage), enumerations=(Stage,))
    claim = next(each_claim for each_claim in wellformed(protocol).claims if each_claim.kind == "lifecycle")
    assert claim.verdict == "violated"
    assert claim.counterexample is not None
    assert "makes a move that it does not declare" in claim.because


# --------------------------------------------------------------------------------- discarding spent messages


def verdicts(protocol: Protocol) -> dict[str, str]:
    """The claims of a proof that do not hold."""
    return {claim.name: claim.verdict for claim in prove(protocol, thorough=True).claims if claim.verdict != "holds"}


def with_spent(spent: Callable[[Client, Turn], Formula]) -> Protocol:
    """The toy with another condition for its message being spent; lemmas about unspent messages are left out."""
    client, turn = lend.parameters
    (old,) = (symbol for symbol in LOCK.symbols if isinstance(symbol, Message))
    node = spent(Client(client), Turn(turn)).node
    kept, old.spent = old.spent, node
    try:
        kept_promises = tuple(
            each_promise for each_promise in LOCK.promises if each_promise.name != "turns_are_lent_in_order"
        )
        found = prove(replace(LOCK, promises=kept_promises), thorough=True)
    finally:
        old.spent = kept
    return replace(LOCK, name="; ".join(claim.name for claim in found.claims if claim.verdict != "holds"))


def test_a_message_that_taking_does_not_spend_is_noticed() -> None:
    assert "lend: taking it spends it" in with_spent(lambda client, turn: ~promised(client)).name


def test_a_message_that_comes_back_to_life_is_noticed() -> None:
    assert "lend: once sent and spent it stays spent" in with_spent(lambda client, turn: holds(client)).name


def test_a_spent_message_that_enables_something_is_noticed() -> None:
    assert "lend: spent it enables nothing" in with_spent(lambda client, turn: turn <= lock.lent(client)).name


def test_a_promise_that_forgetting_would_decide_is_noticed() -> None:
    @always(lock.held)
    def sent_for_ever(client: Client, turn: Turn) -> Formula:
        """What was taken was lent: false once the message is discarded."""
        return lend(client, turn) | (taken(client) < turn) | (turn == Turn.of(0)) | ~holds(client)

    first, *others = LOCK.variants
    breaking = replace(first, breaks=(*first.breaks, sent_for_ever))
    protocol = replace(with_promise(sent_for_ever, "sent_for_ever"), variants=(breaking, *others))
    assert "sent_for_ever: forgetting what is spent does not decide it" in verdicts(protocol)


def hoping(hope: Eventuality) -> Protocol:
    """The toy with an eventuality, and a variant that breaks it."""
    named(hope=hope)
    first, *others = LOCK.variants
    return replace(LOCK, eventualities=(hope,), variants=(replace(first, breaks=(*first.breaks, hope)), *others))


def test_a_hope_that_forgetting_would_decide_is_noticed() -> None:
    @eventually(lock.held)
    def comes_back(client: Client, turn: Turn) -> LeadsTo:
        """What was ever lent is given back: true forever once it was lent, and false once the message is discarded."""
        return leads_to(lend(client, turn), ~holds(client))

    @eventually(lock.held)
    def is_taken(client: Client, turn: Turn) -> LeadsTo:
        """What is lent is taken."""
        return leads_to(lend.unspent(client, turn), ~lend.unspent(client, turn))

    about = "hope: forgetting what is spent does not decide it"
    assert verdicts(hoping(comes_back))[about] == "violated"
    assert verdicts(hoping(is_taken)) == {}


def test_a_hope_without_a_witness_a_variant_or_a_state_is_noticed() -> None:
    @eventually()
    def bare(client: Client) -> LeadsTo:
        """It reads the state after a step."""
        return leads_to(holds(client), promised.after(client))

    named(bare=bare)
    said = faults(replace(LOCK, eventualities=(bare,)))
    assert "bare: has no sometimes" in said
    assert "bare: no variant breaks it" in said
    assert "bare: an eventuality reads an event or the state after the step" in said


def test_a_text_with_faults_is_not_proved() -> None:
    @always(lock.held)
    def hasty(client: Client) -> Formula:
        """It reads the state after a step."""
        return holds.after(client)

    proof = prove(with_promise(hasty, "hasty"))
    assert proof.verdict == "violated"
    assert [claim.kind for claim in proof.claims] == ["text"]


def test_a_guard_that_nothing_satisfies_is_undecided() -> None:
    @action(by=CLIENT)
    def changed(client: Client) -> Step:
        """Never enabled."""
        return Step(when=[holds(client), ~promised(client)], then=[holds.remove(client)])

    found = verdicts(with_action(changed, "give_back"))
    assert found["give_back: its guard can be satisfied"] == "undecided"


def test_a_false_lemma_is_noticed() -> None:
    @lemma
    def nobody_holds_it(client: Client) -> Formula:
        """False."""
        return ~holds(client)

    assert verdicts(with_promise(nobody_holds_it, "nobody_holds_it"))["nobody_holds_it"] == "violated"


def test_declarations_of_these_tests_are_what_they_say() -> None:
    assert isinstance(once, Relation)
    assert event(Client, Turn, doc="Seen.").kind == "event"


def test_a_variant_that_leaves_out_what_is_not_there_is_told_and_hides_nothing() -> None:
    """This is the case after deleting a rule that a variant leaves out: what the deletion breaks must still be detected."""
    (variant, *others) = ON_DEMAND.variants
    idle = replace(
        variant, action=replace(variant.action, absent=(told, told(Host.variable("host"), Pod.variable("pod")).node))
    )
    named(**{variant.name: idle, variant.replaces.name: idle.action})
    changed = replace(ON_DEMAND, variants=(idle, *others))
    (text, *rest) = wellformed(changed).claims
    assert (text.kind, text.verdict) == ("text", "violated")
    assert f"{variant.name}: leaves out a change of told, which is not part of {variant.replaces.name}" in text.because
    assert "leaves out told(host, pod), which is not part" in text.because
    assert len(rest) > 5
    assert {claim.verdict for claim in rest} == {"holds"}
    proved = {claim.name: claim.verdict for claim in prove(changed).claims}
    assert proved["acts_once"] == "holds"
