"""The export to TLA+, checked with TLC: the same states, depths, steps and verdicts as the engines, from another checker."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.evidence.lassos import Lasso, read_lassos
from conformance.evidence.variants import VariantCounterexample, counterexample_of, promises_of, read_variants
from conformance.protocols import PROTOCOLS
from conformance.replay.replays import read_vectors
from model.bad_input import BadInput
from model.explore.explore import Exploration, explore
from model.explore.live import live
from model.language import Protocol, Variant, message
from model.language.terms import FALSE, Formula
from model.reference.configuration import Configuration
from model.reference.state import Occurrence
from model.tla.judge import TEMPORAL, Judgement, java, judge
from model.tla.module import module
from spec.on_demand.protocol import PROTOCOL
from tests.model.explore.test_explore import small
from tests.toys import hopes
from tests.toys.configurations import LOCK, LOCK_WORLD
from tests.toys.hopes import ONE, SOMEBODY, WORLD, Thing


def kept_to(configuration: Configuration, protocol: Protocol, steps: Iterable[Occurrence]) -> Configuration:
    """The configuration restricted to these steps. A variant's action may make choices that the protocol's does not have."""
    only: dict[str, tuple[tuple[str, ...], ...]] = {}
    count = {action.name: len(action.parameters) for action in protocol.actions}
    for step in steps:
        if len(step.choices) != count[step.action]:
            continue
        only[step.action] = (*only.get(step.action, ()), tuple(str(value) for _, value in step.choices))
    without = frozenset(action.name for action in protocol.actions if action.name not in only)
    return replace(configuration, only=only, without=without, pinned={})


def as_found(found: Exploration) -> Judgement:
    """The expected result of TLC, which counts the initial state as a step and as a level."""
    assert found.verdict == "holds"
    return Judgement("", found.transitions + 1, found.distinct, found.depth + 1, 0)


# ----------------------------------------------------------------------------------------- states and verdicts


@pytest.mark.parametrize("forget", [True, False])
def test_the_toy_has_the_same_states(forget: bool, tmp_path: Path) -> None:
    found = explore(LOCK, LOCK_WORLD, everything=True, forget_spent=forget)
    assert judge(LOCK, LOCK_WORLD, tmp_path, forget_spent=forget, promises=LOCK.promises) == as_found(found)


@pytest.mark.parametrize("variant", LOCK.variants, ids=str)
def test_the_toys_variants_break_the_same_promise_as_soon(variant: Variant, tmp_path: Path) -> None:
    changed = LOCK.with_variant(variant)
    found = explore(changed, LOCK_WORLD, forget_spent=False)
    assert found.trace is not None
    judged = judge(changed, LOCK_WORLD, tmp_path, forget_spent=False)
    assert (judged.violated, judged.steps) == (found.violated, len(found.trace.steps))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (r"lent[client] + 1 \in Turn", "TRUE"),
        (r"  /\ Allows(", r"  /\ TRUE \/ Allows("),
        (r"\A other \in Client : other \notin promised", "TRUE"),
        (r"UNCHANGED <<promised, lent>>", r"lent' = lent /\ promised' = {}"),
    ],
)
def test_another_module_is_noticed(old: str, new: str, tmp_path: Path) -> None:
    world = replace(LOCK_WORLD, only={"promise": (("c1",), ("c2",))})
    wrong = judge(LOCK, world, tmp_path, edit=lambda text: text.replace(old, new))
    assert wrong != as_found(explore(LOCK, world, everything=True))


FORGETS = r"~(Forgets /\ Spent(message)')"


def test_the_protocol_has_the_same_states(tmp_path: Path) -> None:
    found = as_found(explore(PROTOCOL, small(), everything=True))
    assert judge(PROTOCOL, small(), tmp_path, eventualities=[]) == found
    remembers = judge(PROTOCOL, small(), tmp_path, eventualities=[], edit=lambda text: text.replace(FORGETS, "TRUE"))
    assert remembers != found


# The last variant in the tables for each configuration: all of them agree, and take four minutes.
KILLS = list({row.config: (protocol, row) for protocol in PROTOCOLS for row in read_variants(protocol)}.values())


@pytest.mark.parametrize(("protocol", "row"), KILLS, ids=[row.config for _, row in KILLS])
def test_a_variant_breaks_the_same_promise_as_soon(
    protocol: Protocol, row: VariantCounterexample, tmp_path: Path
) -> None:
    """The configuration restricted to the steps of the shipped shortest run, in any order and as often as they are enabled."""
    (variant,) = (each_variant for each_variant in protocol.variants if each_variant.name == row.variant)
    (promise,) = (promise for promise in promises_of(variant) if promise.name == row.promise)
    (vector,) = read_vectors([counterexample_of(variant, protocol, promise)], *PROTOCOLS)
    world = kept_to(vector.trace.configuration, vector.protocol, vector.trace.steps)
    found = explore(vector.protocol, world, promises=[promise], sometimes=[], deadlocks=False, forget_spent=False)
    assert found.trace is not None
    judged = judge(
        vector.protocol, world, tmp_path, promises=[promise], eventualities=[], deadlocks=False, forget_spent=False
    )
    assert (judged.violated, judged.steps) == (found.violated, len(found.trace.steps)) == (row.promise, row.depth)
    world = kept_to(vector.trace.configuration, protocol, vector.trace.steps)
    stated = explore(protocol, world, everything=True, deadlocks=False)
    assert judge(protocol, world, tmp_path, eventualities=[], deadlocks=False) == as_found(stated)


# ----------------------------------------------------------------------------------------------------- eventualities

HOPES = {
    "fair": (hopes.one_step(fair=True), WORLD),
    "not fair": (hopes.one_step(fair=False), ONE),
    "self-loop": (hopes.self_loop_only(), ONE),
    "open door": (hopes.door(closes=False), ONE),
    "closing door": (hopes.door(closes=True), ONE),
    "sleeper": (hopes.sleeper(atomic=True), ONE),
    "lost wake-up": (hopes.sleeper(atomic=False), ONE),
    "each choice": (hopes.queue(), WORLD),
    "forbidden": (hopes.queue(), replace(WORLD, only={"serve": (("t1",),)})),
    "bounded": (hopes.counter(resets=False), replace(ONE, bounds={"Count": 1})),
    "counting": (hopes.counter(resets=False), WORLD),
    "resetting": (hopes.counter(resets=True), ONE),
    "unseen": (hopes.blinker(), ONE),
}


@pytest.mark.parametrize("name", HOPES)
def test_the_same_is_said_of_what_happens_eventually(name: str, tmp_path: Path) -> None:
    protocol, world = HOPES[name]
    verdict = live(protocol, world).verdict
    found = judge(protocol, world, tmp_path, deadlocks=False)  # most of them end
    # TLC does not know that a run which only a bound ends would go on.
    assert found.violated == {"holds": "", "violated": TEMPORAL, "undecided": TEMPORAL}[verdict]


def fair_and(lasso: Lasso, protocol: Protocol) -> Configuration:
    """The configuration of a run, in which actions that are not fair are restricted to those of that run."""
    configuration = lasso.trace.configuration
    loose = {action.name for action in protocol.actions if not action.fair}
    taken = kept_to(configuration, protocol, (step for step in lasso.trace.steps if step.action in loose)).only
    return replace(
        configuration,
        only={**configuration.only, **taken},
        without=configuration.without | (loose - set(taken)),
        pinned={},
    )


# Those with the smallest configurations, of each protocol: the others agree too.
VAIN = [
    (protocol, lasso)
    for protocol in PROTOCOLS
    for lasso in read_lassos(protocol)
    if lasso.variant.name
    in (
        *("hears_of_success_only", "greets_an_agent_once", "asks_for_ever", "leaves_far_too_late"),
        *("acknowledges_news_only", "an_answer_goes_to_any_instance"),
    )
]


@pytest.mark.parametrize(("protocol", "lasso"), VAIN, ids=[lasso.variant.name for _, lasso in VAIN])
def test_whoever_waits_in_vain_does_so_by_both(protocol: Protocol, lasso: Lasso, tmp_path: Path) -> None:
    world, awaited = fair_and(lasso, protocol), [lasso.eventuality]
    for stated, verdict, violated in (
        (protocol, "holds", ""),
        (protocol.with_variant(lasso.variant), "violated", TEMPORAL),
    ):
        assert live(stated, world, eventualities=awaited, forget_spent=lasso.forgets).verdict == verdict
        judged = judge(
            stated,
            world,
            tmp_path,
            promises=[],
            eventualities=awaited,
            deadlocks=False,
            forget_spent=lasso.forgets,
        )
        assert judged.violated == violated


# ---------------------------------------------------------------------------------------------------- the text


def test_every_protocol_is_a_module(tmp_path: Path) -> None:
    names = []
    for protocol in PROTOCOLS:
        exported = module(protocol)
        names.append(f"{exported.name}.tla")
        (tmp_path / names[-1]).write_text(exported.text, encoding="utf-8")
    said = java(tmp_path, "tla2sany.SANY", *names)
    assert "error" not in said.lower(), said
    for name in names:
        assert f"Semantic processing of module {name.removesuffix('.tla')}" in said
    (tmp_path / names[0]).write_text("---- MODULE on_demand ----\nInit == Unknown\n====\n", encoding="utf-8")
    assert "error" in java(tmp_path, "tla2sany.SANY", names[0]).lower()


def test_what_has_no_state_is_refused() -> None:
    with pytest.raises(BadInput, match="nothing has no state, so there is nothing to export"):
        module(hopes.protocol("nothing"))


def test_what_is_forgotten_by_what_else_was_sent_is_refused() -> None:
    @message(sender=SOMEBODY, receiver=SOMEBODY)
    def first(thing: Thing) -> Formula:
        """Never spent."""
        return FALSE

    @message(sender=SOMEBODY, receiver=SOMEBODY)
    def second(thing: Thing) -> Formula:
        """Spent when the first was sent."""
        return first(thing)

    with pytest.raises(BadInput, match="second: whether it is spent depends on the message first"):
        module(hopes.protocol("circular", first=first, second=second))
