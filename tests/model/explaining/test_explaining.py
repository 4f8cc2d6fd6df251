"""Explanations: of a toy protocol by name and place, and of the on-demand protocol for every kind of query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from model.explaining.broken import Judge, shadows
from model.explaining.nearest import Difference, Observation, differences, given_by, nearest
from model.explaining.reasons import parts
from model.explaining.repairs import Step, missing_steps
from model.explaining.scene import Scene
from model.language import Protocol
from model.language.terms import Variable
from model.matching.compiled import Compiled, Constants, apply
from model.matching.layout import Tables
from spec.on_demand.protocol import PROTOCOL
from tests.toys import lock

LOCK = Protocol.of("lock", lock)
CONSTANTS: Constants = {"vpc_of": lambda pod: pod.partition("/")[0], "correct": lambda host: host != "evil"}
R, S, B = "red/1", "red/2", "blue/1"

Steps = tuple[tuple[Any, ...], ...]

STARTED: Steps = (
    *(("place", pod, host) for pod, host in ((R, "h1"), (S, "h2"), (B, "h3"))),
    *(("restart", host) for host in ("h1", "h2", "h3")),
    *(("greet", host, 1) for host in ("h1", "h2", "h3")),
    *(("store", pod, 1) for pod in (R, S, B)),
    ("learn", "h1", 1, R, 1),
    ("ask", "h1", "1.1", R, S),
)
"""Three hosts with a pod each; the first has asked for the second's pod."""


def run(protocol: Protocol, constants: Constants, steps: Steps) -> Tables:
    """The state after some steps, each of them enabled."""
    compiled = Compiled(protocol, constants, history=True)
    tables = compiled.tables()
    for name, *choices in steps:
        ready = compiled.actions[name]
        assert ready.refuses(tables, *choices) == -1, (name, choices)
        apply(tables, ready.changes(tables, *choices))
    return tables


def scene(*more: tuple[Any, ...]) -> Scene:
    """The protocol after the initial steps and some more."""
    return Scene(PROTOCOL, CONSTANTS, run(PROTOCOL, CONSTANTS, (*STARTED, *more)), shadows(PROTOCOL))


GRANT = Observation(
    "grant",
    {"host": "h1", "epoch": 1, "asked_by": "1.1", "source": R, "destination": S, "version": 1},
    (("granted", "h1", 1, "1.1", S, 1),),
    {"told": (("h1", S, True),)},
)


def grant(**choices: Any) -> Observation:
    """A grant with other choices, whose message and entry follow from them."""
    given = {**GRANT.choices, **choices}
    message = ("granted", *(given[name] for name in ("host", "epoch", "asked_by", "destination", "version")))
    return Observation("grant", given, (message,), {"told": ((given["host"], given["destination"], True),)})


def false(of: Scene, seen: Observation) -> Mapping[str, tuple[str, ...]]:
    """The false conjuncts, with what decides them."""
    action = of.actions[seen.action]
    return {part.text: part.because for part in parts(of, action, given_by(action, seen.choices)) if not part.held}


def broken(of: Scene, seen: Observation) -> set[str]:
    """The promises that an observation breaks, without lemmas."""
    return {item.promise.name for item in Judge(of).broken_by(seen) if not item.promise.lemma}


# ----------------------------------------------------------------------------------------------------------- reasons


def test_a_step_that_fits_has_nothing_to_explain() -> None:
    now = scene()
    assert false(now, GRANT) == {}
    assert broken(now, GRANT) == set()
    found = nearest(now, GRANT)
    assert found is not None
    assert found.differences == ()


@pytest.mark.parametrize(
    ("seen", "conjuncts"),
    [
        (grant(version=2), {"version = recorded(destination)": ("version is 2", f"recorded({S}) is 1")}),
        (
            grant(epoch=2),
            {
                "takes request(host, epoch, asked_by, source, destination)": (
                    f"request(h1, 2, 1.1, {R}, {S}) is not there to take: it was not sent, or is spent",
                    f"request(h1, 1, 1.1, {R}, {S}) was sent",
                ),
                "epoch = greeted(host)": ("epoch is 2", "greeted(h1) is 1"),
            },
        ),
        (
            grant(destination=B),
            {
                "takes request(host, epoch, asked_by, source, destination)": (
                    f"request(h1, 1, 1.1, {R}, {B}) is not there to take: it was not sent, or is spent",
                    f"request(h1, 1, 1.1, {R}, {S}) was sent",
                ),
                "same_vpc(source, destination)": (f"vpc_of({R}) is red", f"vpc_of({B}) is blue"),
            },
        ),
        (
            grant(source=S),
            {
                "takes request(host, epoch, asked_by, source, destination)": (
                    f"request(h1, 1, 1.1, {S}, {S}) is not there to take: it was not sent, or is spent",
                    f"request(h1, 1, 1.1, {R}, {S}) was sent",
                ),
                "home(host, source)": (
                    f"at({S}, 1, h1) is false",
                    f"at({R}, 1, h1) is true",
                    f"at({S}, 1, h2) is true",
                ),
            },
        ),
    ],
)
def test_the_false_conjuncts_are_named_with_the_values_that_decide_them(
    seen: Observation, conjuncts: Mapping[str, tuple[str, ...]]
) -> None:
    assert false(scene(), seen) == conjuncts


def test_a_quantifier_shows_who_it_is_about() -> None:
    seen = Observation("report_done", {"pod": S, "version": 1})
    text = "∀ host: Host. ¬pending(pod, version, host)"
    assert false(scene(), seen)[text] == (f"pending({S}, 1, h2) is true",)
    seen = Observation("report_failed", {"pod": S, "version": 2})
    (reason, near) = false(scene(), seen)["∃ host: Host. pending(pod, version, host)"]
    assert reason == f"there is none: ∃ host. pending({S}, 2, host)"
    assert near == f"pending({S}, 1, h2) is true"


def test_a_value_that_is_a_choice_between_cases_shows_the_case() -> None:
    now = scene(("ask", "h1", "1.2", R, "red/9"))
    choices = {**GRANT.choices, "destination": "red/9", "asked_by": "1.2", "why": "gone"}
    del choices["version"]
    found = false(now, Observation("refuse", choices))
    assert found == {
        "why = why_not(host, source, destination)": (
            "why is gone",
            f"why_not(h1, {R}, red/9) is unknown",
            "since recorded(red/9) is 0",
        )
    }


def test_a_conjunct_about_an_unknown_choice_is_neither_true_nor_false() -> None:
    now = scene()
    choices = {name: value for name, value in GRANT.choices.items() if name != "version"}
    (last,) = [
        part for part in parts(now, now.actions["grant"], given_by(now.actions["grant"], choices)) if not part.held
    ]
    assert (last.text, last.held) == ("version = recorded(destination)", None)


# ----------------------------------------------------------------------------------------------------------- nearest


@pytest.mark.parametrize(
    ("seen", "field", "observed", "expected"),
    [
        (grant(version=2), "attributes.version", 2, 1),
        (grant(host="h2"), "attributes.host", "h2", "h1"),
        (grant(epoch=2), "attributes.epoch", 2, 1),
        (grant(destination=B), "attributes.destination", B, S),
        (grant(asked_by="1.7"), "attributes.asked_by", "1.7", "1.1"),
    ],
)
def test_the_nearest_step_differs_in_the_choice_that_was_changed(
    seen: Observation, field: str, observed: object, expected: object
) -> None:
    found = nearest(scene(), seen)
    assert found is not None
    assert found.action == "grant"
    assert dict(found.choices) == GRANT.choices
    assert found.differences[0] == Difference(field, observed, expected)


def test_a_message_that_was_changed_is_the_difference_whatever_else_would_fit() -> None:
    wrong = ("granted", "h1", 1, "1.1", S, 2)
    found = nearest(scene(), replace(GRANT, sent=(wrong,)))
    assert found is not None
    assert found.differences == (Difference("sent", wrong, ("granted", "h1", 1, "1.1", S, 1)),)


def test_a_message_that_is_missing_or_too_many_is_a_difference() -> None:
    now = scene()
    choices = tuple(GRANT.choices.values())
    (missing,) = differences(now, now.actions["grant"], choices, replace(GRANT, sent=()))
    assert (missing.observed, missing.expected) == (None, ("granted", "h1", 1, "1.1", S, 1))
    odd = ("route", "h1", 1, S, 1)
    (more,) = differences(now, now.actions["grant"], choices, replace(GRANT, sent=(*(GRANT.sent or ()), odd)))
    assert (more.observed, more.expected) == (odd, None)


def test_an_entry_that_was_left_otherwise_is_the_difference() -> None:
    found = nearest(scene(), replace(GRANT, after={"told": (("h1", S, False),)}))
    assert found is not None
    assert found.differences == (Difference(f"after.told(h1, {S})", False, True),)


def test_another_answer_to_the_same_message_is_found() -> None:
    now = scene(("ask", "h1", "1.2", R, "red/9"))
    found = nearest(now, grant(asked_by="1.2", destination="red/9", version=0))
    assert found is not None
    assert (found.action, dict(found.choices)["why"]) == ("refuse", "unknown")
    assert found.differences[0] == Difference("action", "grant", "refuse")


def test_what_it_took_tells_two_steps_apart_that_both_are_possible() -> None:
    now = scene(("ask", "h1", "1.2", R, S))
    seen = Observation("grant", {**GRANT.choices, "asked_by": "1.2"})
    assert false(now, seen) == {}
    found = nearest(now, seen)
    assert found is not None
    assert found.differences == ()
    took = ("request", "h1", 1, "1.1", R, S)
    (difference,) = differences(now, now.actions["grant"], tuple(seen.choices.values()), replace(seen, took=took))
    assert difference == Difference("message taken", ("request", "h1", 1, "1.2", R, S), took)
    found = nearest(now, replace(seen, after={"told": (("h1", S, True),)}, took=took))
    assert found is not None
    assert found.differences == (Difference("attributes.asked_by", "1.2", "1.1"),)


def test_a_search_that_looks_at_too_much_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    now = scene()
    place = now.actions["place"]
    all_of_them = now.choices(place, {}, 100)
    assert (len(all_of_them), now.gave_up) == (6, 0)
    monkeypatch.setattr("model.explaining.scene.LOOKED_AT_MAX", 5)
    assert 0 < len(now.choices(place, {}, 100)) < 6
    assert now.gave_up == 1


# ----------------------------------------------------------------------------------------------------------- repairs


def test_a_step_that_nobody_tells_of_is_found_from_what_it_would_have_sent() -> None:
    release = Observation("release", GRANT.choices, (("applied", "h1", 1, S, 1),))
    assert missing_steps(scene(), release) == [(Step("grant", tuple(GRANT.choices.items())),)]


def test_two_steps_in_a_row_are_found() -> None:
    acknowledge = Observation("acknowledge", {"host": "h1", "epoch": 1, "pod": S, "version": 1})
    assert missing_steps(scene(), acknowledge) == []
    report = Observation("complete", {"pod": R, "version": 1, "result": "done"})
    first, second = missing_steps(scene(), report)[0]
    assert (first.action, second.action) == ("acknowledge", "report_done")


def test_what_does_not_make_it_fit_is_no_repair() -> None:
    assert missing_steps(scene(), grant(destination=B)) == []
    wrong = Observation("release", GRANT.choices, (("applied", "h1", 1, S, 2),))
    assert missing_steps(scene(), wrong) == []


def test_a_repair_leaves_the_state_as_it_was() -> None:
    now = scene()
    before = {name: set(now.tables.entries(name)) for name in now.layout.kept}
    missing_steps(now, Observation("complete", {"pod": R, "version": 1, "result": "done"}))
    assert {name: set(now.tables.entries(name)) for name in now.layout.kept} == before


# ------------------------------------------------------------------------------------------------------------ broken


@pytest.mark.parametrize(
    ("seen", "promise"),
    [
        (grant(destination=B), "stays_in_its_vpc"),
        (grant(host="h2"), "answers_the_asker"),
        (grant(version=2), "grants_only_what_is_placed"),
        (Observation("store", {"pod": R, "version": 2}), "invents_nothing"),
        (Observation("store", {"pod": R, "version": 1}, (), {"recorded": ((R, 0),)}), "newer_wins"),
        (Observation("deliver", {"host": "h1", "source": R, "destination": S}), "releases_only_to_a_place"),
        (
            Observation("release", {**GRANT.choices, "source": B}, ()),
            "acts_once",
        ),
        (Observation("report_done", {"pod": S, "version": 1}), "done_means_applied"),
    ],
)
def test_a_promise_that_is_broken_is_named(seen: Observation, promise: str) -> None:
    assert promise in broken(scene(), seen)


def test_a_promise_is_not_judged_without_the_history_that_it_reads() -> None:
    compiled = Compiled(PROTOCOL, CONSTANTS, history=False)
    tables = compiled.tables()
    for name, *choices in STARTED:
        apply(tables, compiled.actions[name].changes(tables, *choices))
    seen = grant(destination=B)
    now = Scene(PROTOCOL, CONSTANTS, tables, shadows(PROTOCOL))
    without = {item.promise.name for item in Judge(now).broken_by(seen)}
    assert "stays_in_its_vpc" not in without
    member = {"member": {("h1", "red"), ("h2", "red"), ("h3", "blue")}}
    found = Judge(now, member).broken_by(seen)
    (vpc,) = [item for item in found if item.promise.name == "stays_in_its_vpc"]
    assert dict(vpc.values)["host"] == "h1"
    assert dict(vpc.values)["pod"] == B


# -------------------------------------------------------------------------------------------------------------- toys


def locked() -> Scene:
    """One client was promised the lock."""
    return Scene(LOCK, {}, run(LOCK, {}, (("promise", "a"),)), shadows(LOCK))


def test_explanations_work_for_any_protocol() -> None:
    now = locked()
    seen = Observation("take", {"client": "b", "turn": 1})
    assert false(now, seen) == {
        "takes lend(client, turn)": ("lend(b, 1) is not there to take: it was not sent, or is spent",)
    }
    found = nearest(now, seen)
    assert found is not None
    assert found.differences == (Difference("attributes.client", "b", "a"),)
    again = Observation("promise", {"client": "b"})
    assert false(now, again) == {"∀ other: Client. ¬promised(other)": ("promised(a) is true",)}
    back = Observation("give_back", {"client": "a"})
    assert missing_steps(now, back) == [(Step("take", (("client", "a"), ("turn", 1))),)]
    judge = Judge(now)
    assert {item.promise.name for item in judge.broken_by(again)} == {"promised_once"}
    assert {item.promise.name for item in judge.broken_by(back)} == {
        "used_only_when_held",
        "turns_are_lent_in_order",
    }


def test_a_question_is_answered_after_changes_and_before_them() -> None:
    now = locked()
    client = Variable("client", lock.Client)
    node = now.actions["give_back"].guard[0]
    take = now.actions["take"]
    with now.after(now.changes(take, ("a", 1))):
        assert now.value(node, {client: "a"})
    assert not now.value(node, {client: "a"})
