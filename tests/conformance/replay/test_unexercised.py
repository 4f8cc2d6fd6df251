"""What is permitted and never done: it is found, ranked and offered; a more restrictive implementation is told from a wrong one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.mutation.faulty import cores_of
from conformance.protocols import DRIVEN, named
from conformance.replay.cores import Cores
from conformance.replay.lockstep import replay
from conformance.replay.replays import Vector, read_vectors, trace_files, vectors_of
from conformance.replay.targets import open_target
from conformance.replay.unexercised import Met, Unexercised, permissiveness
from impl.broker.deployment import Deployment
from impl.cli.exits import Exit
from impl.core import Effects
from impl.errors import NotAllowed
from impl.messages import Pod
from impl.on_demand.dpm import Dpm
from impl.transport.memory import MemorySession
from model.reference.interpreter import Interpreter
from model.reference.runs import executed, prefix
from model.reference.state import Trace, initial_state
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    """All vectors of the on-demand protocol."""
    return read_vectors([vectors_of(PROTOCOL)], PROTOCOL)


def asked(vectors: Sequence[Vector], cores: Cores | None = None, tries_max: int | None = None) -> Unexercised:
    """What becomes of what is permitted, in memory."""
    with open_target("memory") as target:
        return permissiveness(PROTOCOL, vectors, target, cores=cores, tries_max=tries_max)


PINNED = [("on-demand", 430, 216), ("message-queue", 607, 357)]
"""By protocol: contexts that are permitted in the states of all vectors, and those of them that no vector asks for."""


@pytest.mark.parametrize(("name", "permitted", "offered"), PINNED)
def test_ours_does_everything_that_is_permitted_when_it_is_offered(name: str, permitted: int, offered: int) -> None:
    protocol = named(name)
    with open_target("memory") as target:
        found = permissiveness(protocol, read_vectors([vectors_of(protocol)], protocol), target)
    assert (len(found.permitted), len(found.never_done)) == (permitted, offered)
    assert {item.verdict for item in found.never_done} == {"done"}
    assert found.findings == []
    assert found.exit is Exit.HOLDS
    assert {name, "message-queue", "on-demand"} == DRIVEN


def test_the_document_says_how_much_that_is() -> None:
    document = " ".join((Path(__file__).parents[3] / "docs" / "traces.md").read_text(encoding="utf-8").split())
    permitted, offered = sum(one for _, one, _ in PINNED), sum(one for _, _, one in PINNED)
    assert f"{permitted} contexts, of which no vector asks for {offered}." in document


def test_what_is_permitted_most_often_is_done_on_a_real_broker(vectors: Sequence[Vector], broker: Deployment) -> None:
    with open_target("pulsar", broker) as target:
        found = permissiveness(PROTOCOL, vectors[::9], target, tries_max=20)
    assert sum(item.verdict == "done" for item in found.never_done) == 20
    assert not found.divergences


def test_an_agent_that_never_evicts_is_found_and_is_no_failure(vectors: Sequence[Vector]) -> None:
    found = asked(vectors, cores_of("never_evicts"))
    assert found.divergences == []
    assert [(finding.context.action, finding.verdict, finding.because) for finding in found.findings] == [
        ("evict", "refused", "it does nothing")
    ] * 2
    assert found.findings[0].times > found.findings[1].times > 0
    assert found.exit is Exit.HOLDS


def test_one_that_evicts_in_some_situations_only_is_told_in_which_it_does_not(vectors: Sequence[Vector]) -> None:
    found = asked(vectors, cores_of("evicts_only_what_is_gone"))
    (one,) = found.findings
    assert (one.context.action, one.words, one.verdict) == ("evict", ("record_state(pod) = placed",), "refused")
    assert "is installed: evict" in one.because
    assert found.exit is Exit.HOLDS


def test_a_refusal_that_eventualities_count_on_is_undecided(vectors: Sequence[Vector]) -> None:
    found = asked(vectors, cores_of("never_reminds"))
    assert {(finding.context.action, finding.verdict) for finding in found.findings} == {("remind", "refused")}
    assert all(found.is_fair(finding) for finding in found.findings)
    times = [finding.times for finding in found.findings]
    assert times == sorted(times, reverse=True)
    assert found.exit is Exit.UNDECIDED


def test_a_wrong_implementation_diverges_and_does_not_pass_for_a_restrictive_one(vectors: Sequence[Vector]) -> None:
    found = asked(vectors, cores_of("forgets_on_evicting"))
    assert found.divergences
    assert found.findings[0].verdict == "diverges"
    assert found.findings[0].divergence is not None
    assert found.findings[0].divergence.field.startswith("known(")
    assert found.exit is Exit.VIOLATED


class KeepsTheThirdToItself(Dpm):
    """It does not send the third version of a pod."""

    def place(self, pod: Pod, host: str) -> Effects:
        effects = super().place(pod, host)
        return effects if self.latest(pod) < 3 else replace(effects, sends=())


def test_what_only_an_offer_shows_to_be_wrong_is_red() -> None:
    """The runs end before the third version of a pod; offered as one more step, it is not sent."""
    vectors = read_vectors([vectors_of(PROTOCOL)], PROTOCOL)
    short = [replace(vector, trace=_before_the_third(vector.trace)) for vector in vectors if vector.diverges_at is None]
    found = asked(short, Cores(dpm=KeepsTheThirdToItself))
    assert found.divergences == []
    assert {finding.context.action for finding in found.findings if finding.verdict == "diverges"} == {"place"}
    assert found.exit is Exit.VIOLATED


def _before_the_third(trace: Trace) -> Trace:
    latest = [max(state.functions["latest"].values()) for state in trace.states]
    return prefix(trace, latest.index(3) - 1 if 3 in latest else len(trace.steps))


def test_what_was_not_tried_is_undecided(vectors: Sequence[Vector]) -> None:
    found = asked(vectors[:20], tries_max=2)
    assert sum(item.verdict == "done" for item in found.never_done) == 2
    assert found.findings[0].verdict == "not tried"
    assert found.exit is Exit.UNDECIDED


def test_nothing_looked_at_is_undecided() -> None:
    assert asked([]).exit is Exit.UNDECIDED


def test_a_step_of_the_same_input_may_be_taken_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to subscribe, an agent may decline as long as the broker is out of its reach, though it is permitted."""
    files = trace_files(vectors_of(MESSAGE_QUEUE) / "found")
    file = next(each_file for each_file in files if "\naccept " in each_file.read_text(encoding="utf-8"))
    (vector,) = read_vectors([file], MESSAGE_QUEUE)
    number = next(n for n, step in enumerate(vector.trace.steps) if step.action == "accept")

    listens = MemorySession.listen

    def listen(session: MemorySession, topic: str, subscription: str = "") -> None:
        if subscription:
            raise NotAllowed("nobody answers")
        listens(session, topic)

    monkeypatch.setattr(MemorySession, "listen", listen)
    run = prefix(vector.trace, number + 1)
    with open_target("memory") as target:
        offered = replay(run, vector.name, MESSAGE_QUEUE, target, offered=True)
        demanded = replay(run, vector.name, MESSAGE_QUEUE, target)
    assert offered.answer is not None
    assert offered.answer.kind == "refused"
    assert "it does decline(" in offered.answer.because
    assert demanded.verdict == "diverges"


def test_a_situation_is_told_in_words_of_the_statement(vectors: Sequence[Vector]) -> None:
    met = Met(PROTOCOL, "memory")
    vector = next(
        each_vector for each_vector in vectors if any(step.action == "evict" for step in each_vector.trace.steps)
    )
    met.add(
        vector.name, vector.trace, len(vector.trace.steps) if vector.diverges_at is None else vector.diverges_at - 1
    )
    words = {word for item in met.found.permitted for word in item.words if item.action == "learn"}
    assert "version > known(host, pod)" in words
    assert "first" in words
    assert met.found.steps == sum(item.done for item in met.found.permitted.values())
    assert not any(item.action.startswith("forge") for item in met.found.permitted)


def test_a_witness_is_a_run_of_the_statement_into_its_situation(vectors: Sequence[Vector]) -> None:
    found = asked(vectors[:30], tries_max=0)
    for item in found.never_done[:40]:
        witness = item.witnesses[0].trace
        interpreter = Interpreter(PROTOCOL, witness.configuration)
        start = Trace(PROTOCOL.name, witness.configuration, (initial_state(PROTOCOL, witness.configuration),), ())
        assert executed(interpreter, start, witness.steps) == replace(witness, protocol=PROTOCOL.name, description="")
        assert witness.steps[-1].action == item.context.action
