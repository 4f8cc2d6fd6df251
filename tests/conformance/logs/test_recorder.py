"""What a process records of a step agrees with the specification: on every vector, and for faulty cores it shows the fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import pytest

from conformance.logs.recorded import LINE, RECORDING, Recording
from conformance.mutation.cores.loading import mutated
from conformance.mutation.faulty import cores_of
from conformance.protocols import named
from conformance.replay.cores import Cores
from conformance.replay.replays import Replays, Vector, read_vectors, replay_all, vectors_of
from conformance.replay.targets import open_target
from impl.core import Effects
from impl.events.event_schema import ACTIONS
from impl.events.line import State
from model.language import Action
from model.reference.state import State as Stated


class Seen:
    """What was recorded in all replays."""

    def __init__(self) -> None:
        self.events: set[str] = set()
        self.symbols: set[str] = set()
        self.wrong: list[str] = []


class Seeing(Recording):
    """A driver that keeps what it sees, and every fault."""

    seen: Seen

    def _recorded(self, process: Any, action: Action, *given: Any) -> list[str]:
        self.seen.events.add(f"{self._of}.{action.name}")
        return super()._recorded(process, action, *given)

    def _of_entries(self, where: str, state: State, after: Stated) -> Iterator[str]:
        self.seen.symbols |= state.keys()
        return super()._of_entries(where, state, after)

    def _blame(self, faults: Sequence[str]) -> None:
        self.seen.wrong += faults
        super()._blame(faults)


def recorded(name: str, cores: Cores | None = None) -> tuple[Seen, Replays]:
    """Replays a protocol's vectors with a recorder beside each core, up to the first divergence."""
    seen = Seen()
    driver = cast("type[Recording]", type("SeeingDriver", (Seeing, RECORDING[name]), {"seen": seen}))
    with open_target("memory") as target:
        found = replay_all(positive(name), target, cores=cores, stop_at_divergence=True, drivers={name: driver})
    return seen, found


def positive(name: str) -> list[Vector]:
    return [vector for vector in read_vectors([vectors_of(named(name))], named(name)) if vector.diverges_at is None]


@pytest.mark.parametrize("name", ["on-demand", "message-queue"])
def test_every_step_of_every_vector_is_recorded_as_stated(name: str) -> None:
    seen, found = recorded(name)
    assert found.verdict == "conforms", found.divergence
    assert seen.wrong == []
    assert seen.events == {event for event in ACTIONS if event.startswith(f"{name}.")}
    assert len(seen.symbols) > 8


@pytest.mark.parametrize(
    ("name", "faulty", "told"),
    [
        ("on-demand", "forgets_whom_it_told", "on-demand.grant: told"),
        ("on-demand", "forgets_on_evicting", "on-demand.evict: known"),
        ("on-demand", "releases_again", "on-demand.release: waiting"),
        ("on-demand", "confirms_without_applying", "on-demand.learn: known"),
        ("on-demand", "confirms_for_another", "on-demand.acknowledge for what comes once more"),
        ("on-demand", "remembers_over_a_restart", "the whole state: known"),
        ("message-queue", "confirms_what_it_did_not_apply", "message-queue.learn: known"),
        (
            "message-queue",
            "takes_a_refusal_for_success",
            "['message-queue.hear_acceptance'] for message-queue.hear_refusal",
        ),
    ],
)
def test_the_effect_of_a_faulty_core_shows_in_its_line(name: str, faulty: str, told: str) -> None:
    """Nothing is derived from the name of a step: omitted and additional effects are recorded as they are."""
    seen, _ = recorded(name, cores_of(faulty))
    assert any(told in wrong for wrong in seen.wrong)


EVENTS: Mapping[str, str] = {
    "on_demand.ncm.Ncm.greet: drop a condition: if isinstance(message, Request): → nothing": (
        "['on-demand.greet'] for on-demand.greet_by_request"
    ),
    "on_demand.ncm.Ncm.register: drop an event: (Event('register', fields, 'host.registered'),) → ()": (
        "nothing is written, although ncm changes or sends something"
    ),
    "message_queue.aca.MessageQueueAca._is_newer: another comparison: revision > known → revision >= known": (
        "message-queue.learn for what comes once more"
    ),
}
"""Cores that differ from ours in nothing but the lines that are written of them, with what is wrong there."""


@pytest.mark.parametrize("mutant", EVENTS)
def test_a_line_that_is_missing_or_of_another_step_is_a_divergence(mutant: str) -> None:
    cores = mutated(mutant)
    assert cores is not None
    seen, found = recorded(mutant.partition(".")[0].replace("_", "-"), cores)
    assert found.divergence is not None
    assert found.divergence.field == LINE
    assert found.divergence.observed == seen.wrong[0] == EVENTS[mutant]


def test_what_cannot_be_recorded_is_a_divergence() -> None:
    """A core that leaves out a field of its event brings a recorder down."""

    class Broken(Seeing):
        def _done(self, process: Any, effects: Effects) -> Effects:
            for event in effects.events:
                if event.name == "grant":
                    event.fields.clear()  # type: ignore[attr-defined] # a core's fields are a dict
            return super()._done(process, effects)

    seen = Seen()
    driver = cast("type[Recording]", type("BrokenDriver", (Broken, RECORDING["on-demand"]), {"seen": seen}))
    with open_target("memory") as target:
        found = replay_all(positive("on-demand"), target, stop_at_divergence=True, drivers={"on-demand": driver})
    assert found.divergence is not None
    assert found.divergence.observed == "grant: recording it ends with KeyError"
