"""Replay: the implementation follows every vector in memory and over Pulsar, and wrong implementations do not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.bindings.observe import NOT_COMPARED, OBSERVED
from conformance.bindings.on_demand_names import MESSAGES
from conformance.evidence.variants import breaking
from conformance.mutation.faulty import cores_of
from conformance.mutation.faulty_on_demand import FAULTY, WITHOUT
from conformance.replay.cores import Cores
from conformance.replay.driver import RESTARTS
from conformance.replay.replays import Replays, Vector, read_vectors, replay_all, vectors_of
from conformance.replay.targets import MemoryTarget, open_target
from conformance.vectors.coverage import Coverage
from conformance.vectors.generation import wanted_goals
from impl.broker.deployment import Deployment
from impl.cli.exits import Exit, Problem
from impl.core import Effects, Plain
from impl.messages import Applied, Granted, Message, Pod, Reason, Request, Route
from impl.on_demand.aca import Aca
from impl.on_demand.dpm import Dpm
from impl.on_demand.ncm import Channel, Ncm
from impl.storage.store import Store
from model.bad_input import BadInput
from model.reference import itf
from model.reference.interpreter import Interpreter
from spec.on_demand.protocol import PROTOCOL

VECTORS = vectors_of(PROTOCOL)


@pytest.fixture(scope="module")
def vectors() -> list[Vector]:
    """All vectors, the negative ones among them."""
    return read_vectors([VECTORS], PROTOCOL)


def test_every_vector_conforms_in_memory(vectors: Sequence[Vector]) -> None:
    with open_target("memory") as target:
        found = replay_all(vectors, target)
    assert found.divergence is None
    assert found.not_driven == []
    assert found.verdict == "conforms"
    assert found.total(lambda item: item.deliveries) * 2 >= found.total(lambda item: item.steps)


def test_every_vector_conforms_on_a_real_broker(vectors: Sequence[Vector], broker: Deployment) -> None:
    with open_target("pulsar", broker) as target:
        found = replay_all(vectors, target)
    assert found.divergence is None
    assert found.verdict == "conforms"


def test_every_vector_conforms_with_journals(vectors: Sequence[Vector]) -> None:
    with open_target("memory", store="journal") as target:
        found = replay_all(vectors, target)
    assert found.divergence is None
    assert found.verdict == "conforms"
    assert found.total(lambda item: item.crashes) > 100


def test_vectors_conform_with_journals_on_a_real_broker(vectors: Sequence[Vector], broker: Deployment) -> None:
    crashing = [vector for vector in vectors if any(step.action in RESTARTS for step in vector.trace.steps)]
    with open_target("pulsar", broker, store="journal") as target:
        found = replay_all(crashing[::8], target)
    assert found.divergence is None
    assert found.verdict == "conforms"
    assert found.total(lambda item: item.crashes) > 10


class LosesTheLast(MemoryTarget):
    """Journals that have lost the last record, and the snapshot behind it, when they are read again."""

    def store(self, process: str) -> Store:
        for journal in self._journals.values():
            records = [number for number, entry in enumerate(journal.entries) if entry.key.startswith("record")]
            if records:
                del journal.entries[records[-1] :]
        return super().store(process)


def test_a_journal_that_loses_a_record_is_a_divergence(vectors: Sequence[Vector]) -> None:
    found = replay_all(vectors, LosesTheLast(journal=True), stop_at_divergence=True)
    assert found.verdict == "diverges"


def test_vectors_cover_everything_that_they_have_to(vectors: Sequence[Vector]) -> None:
    covered: set[str] = set()
    for vector in vectors:
        if vector.diverges_at is None:
            interpreter = Interpreter(PROTOCOL, vector.trace.configuration)
            covered |= {goal for _, goal in Coverage(PROTOCOL, interpreter).of(vector.trace)}
    assert wanted_goals(PROTOCOL) - covered == set()


def test_every_variant_that_breaks_a_promise_has_a_negative_vector(vectors: Sequence[Vector]) -> None:
    negative = {vector.name.partition(".")[0] for vector in vectors if vector.diverges_at is not None}
    assert negative == {variant.name.replace("_", "-") for variant in breaking(PROTOCOL)}


def test_every_variant_that_breaks_a_promise_has_a_double_or_a_reason() -> None:
    assert sorted([*FAULTY, *WITHOUT]) == sorted(variant.name for variant in breaking(PROTOCOL))


def own_vector(name: str, vectors: Sequence[Vector]) -> Vector:
    """The negative vector of a variant."""
    return next(vector for vector in vectors if vector.name == name.replace("_", "-"))


@pytest.mark.parametrize("name", list(FAULTY))
def test_a_wrong_implementation_is_caught_by_the_run_of_its_variant(name: str, vectors: Sequence[Vector]) -> None:
    vector = own_vector(name, vectors)
    with open_target("memory") as target:
        found = replay_all([vector], target, cores=cores_of(name))
    assert found.verdict == "diverges"
    assert found.divergence is not None
    # There, or before: by a late duplicate, where a request greets and is answered at once, or by what the core does not refuse.
    early = any(word in found.divergence.action for word in ("comes once more", "at once"))
    early = early or found.divergence.because == "it is not enabled"
    assert found.divergence.step == vector.diverges_at or early


@pytest.mark.parametrize("name", list(FAULTY))
def test_a_wrong_implementation_is_caught_by_a_run_of_the_protocol(name: str, vectors: Sequence[Vector]) -> None:
    positive = [vector for vector in vectors if vector.diverges_at is None]
    with open_target("memory") as target:
        found = replay_all(positive, target, cores=cores_of(name), stop_at_divergence=True)
    assert found.verdict == "diverges"


@pytest.mark.parametrize("name", list(FAULTY))
def test_a_wrong_implementation_is_caught_on_a_real_broker(
    name: str, vectors: Sequence[Vector], broker: Deployment
) -> None:
    with open_target("pulsar", broker) as target:
        assert replay_all([own_vector(name, vectors)], target, cores=cores_of(name)).verdict == "diverges"


def test_a_late_duplicate_that_has_an_effect_is_a_divergence(vectors: Sequence[Vector]) -> None:
    positive = [vector for vector in vectors if vector.diverges_at is None]
    with open_target("memory") as target:
        found = replay_all(positive, target, cores=cores_of("learns_the_older"), stop_at_divergence=True)
    assert found.divergence is not None
    assert "comes once more to h" in found.divergence.action


class Raises(Aca):
    """It has a fault that no rule of the protocol is about."""

    def _see(self, message: Route | Granted, step: str) -> Effects:
        raise KeyError(message.pod)


def test_a_core_that_raises_an_error_is_a_divergence(vectors: Sequence[Vector]) -> None:
    with open_target("memory") as target:
        found = replay_all(vectors, target, cores=Cores(aca=Raises), stop_at_divergence=True)
    assert found.divergence is not None
    assert found.divergence.observed == "an error"
    assert "Raises raised KeyError" in found.divergence.because
    assert "test_replay.py, line" in found.divergence.because


class RemindsNobody(Ncm):
    """It says that it reminds, and sends nothing: the route was sent before, so the state does not show it."""

    def remind(self, host: str, pod: Pod) -> Effects:
        super().remind(host, pod)
        return Effects()


class RemindsOfTheOlder(Ncm):
    """It sends again what is to be confirmed, and not what is recorded."""

    def remind(self, host: str, pod: Pod) -> Effects:
        super().remind(host, pod)
        oldest = min(version for about, version, waited in self._pending if (about, waited) == (pod, host))
        return Effects(sends=(self._route(host, pod, oldest),))


class ResendsNothing(Dpm):
    """It says that it sends a change again, and does not."""

    def resend(self, pod: Pod, version: int) -> Effects:
        super().resend(pod, version)
        return Effects()


class ForwardsElsewhere(Aca):
    """It knows where pods are, and forwards to another place."""

    def receive(self, message: Message) -> Effects:
        return self._astray(super().receive(message))

    def packet(self, request: int, source: Pod, destination: Pod) -> Effects:
        return self._astray(super().packet(request, source, destination))

    def _astray(self, effects: Effects) -> Effects:
        events = (
            replace(event, fields={**event.fields, "place": "elsewhere"}) if "place" in event.fields else event
            for event in effects.events
        )
        return replace(effects, events=tuple(events))


@pytest.mark.parametrize(
    ("cores", "field"),
    [
        (Cores(ncm=RemindsNobody), "messages"),
        (Cores(ncm=RemindsOfTheOlder), "messages"),
        (Cores(dpm=ResendsNothing), "messages"),
        (Cores(aca=ForwardsElsewhere), "delivered.place"),
    ],
    ids=["reminds nobody", "reminds of the older", "resends nothing", "forwards elsewhere"],
)
def test_what_the_state_does_not_show_is_compared_too(cores: Cores, field: str, vectors: Sequence[Vector]) -> None:
    with open_target("memory") as target:
        found = replay_all(vectors, target, cores=cores, stop_at_divergence=True)
    assert found.divergence is not None
    assert found.divergence.field == field


class GreetsWithoutAnswering(Ncm):
    """A request that greets is forgotten after that."""

    def receive(self, message: Message, channel: Channel) -> Effects:
        if isinstance(message, Request) and self._is_new(message.host, message.epoch):
            return self.greet(message)
        return super().receive(message, channel)


class StoresTheAnswerOnly(Ncm):
    """Of a greeting and an answer at once it makes the last durable."""

    def receive(self, message: Message, channel: Channel) -> Effects:
        effects = super().receive(message, channel)
        parts = (effects.record or {}).get("all")
        return replace(effects, record={"all": parts[1:]}) if isinstance(parts, list) else effects


@pytest.mark.parametrize("ncm", [GreetsWithoutAnswering, StoresTheAnswerOnly])
def test_a_request_that_greets_is_answered_in_the_same_step(ncm: type[Ncm], vectors: Sequence[Vector]) -> None:
    with open_target("memory") as target:
        found = replay_all(vectors, target, cores=Cores(ncm=ncm), stop_at_divergence=True)
    assert found.divergence is not None
    assert "at once" in found.divergence.action


class KeepsTheOldPlace(Aca):
    """A pod that is known stays where it was."""

    def _see(self, message: Route | Granted, step: str) -> Effects:
        place = self._known.get(message.pod, (0, message.place))[1]
        effects = super()._see(message, step)
        self._known[message.pod] = (message.version, place)
        return effects


class ReasonsInAnotherOrder(Ncm):
    """What is asked for comes before who asks."""

    def _refusal(self, message: Request) -> Reason | None:
        return super()._refusal(message) if self._in_one_vpc(message) else Reason.OTHER_VPC


class ResendsTheNewest(Dpm):
    """Whatever is to be sent again, it sends the newest."""

    def resend(self, pod: Pod, version: int) -> Effects:
        super().resend(pod, version)
        return Effects(sends=(self._config(pod, self.latest(pod)),))


class CountsWhatIsNotRecorded(Ncm):
    """A confirmation of a version that is not recorded yet counts for the older ones."""

    def confirm(self, message: Applied) -> Effects:
        return super().confirm(replace(message, version=min(message.version, self.recorded(message.pod))))


class ForgetsItsEpoch(Aca):
    """Its snapshot lacks the epoch."""

    def snapshot(self) -> dict[str, Plain]:
        return {"epoch": 0}


@pytest.mark.parametrize(
    "cores",
    [
        Cores(aca=KeepsTheOldPlace),
        Cores(ncm=ReasonsInAnotherOrder),
        Cores(dpm=ResendsTheNewest),
        Cores(ncm=CountsWhatIsNotRecorded),
        Cores(aca=ForgetsItsEpoch),
    ],
    ids=["keeps the old place", "reasons otherwise", "resends the newest", "counts too early", "forgets its epoch"],
)
def test_wrong_cores_that_only_a_story_catches_are_caught(cores: Cores, vectors: Sequence[Vector]) -> None:
    with open_target("memory") as target:
        assert replay_all(vectors, target, cores=cores, stop_at_divergence=True).verdict == "diverges"


class SnapshotsTooLittle(Ncm):
    """What it writes into a snapshot lacks whom it told."""

    def snapshot(self) -> dict[str, Plain]:
        return {**super().snapshot(), "told": []}


def test_what_a_snapshot_lacks_is_noticed(vectors: Sequence[Vector]) -> None:
    with open_target("memory") as target:
        found = replay_all(vectors, target, cores=Cores(ncm=SnapshotsTooLittle), stop_at_divergence=True)
    assert found.divergence is not None
    assert "restored from its snapshot" in found.divergence.because


def test_everything_of_the_specification_is_compared_or_has_a_reason() -> None:
    assert set(OBSERVED) == {symbol.name for symbol in PROTOCOL.symbols if symbol.kind in ("state", "message")}
    assert set(NOT_COMPARED) == {symbol.name for symbol in PROTOCOL.symbols if symbol.kind in ("constant", "history")}
    assert {message.name for message in PROTOCOL.messages} == set(MESSAGES)


def test_nothing_replayed_is_not_green() -> None:
    assert Replays("memory").verdict == "undecided"
    assert Replays("memory").exit is Exit.UNDECIDED


def test_a_folder_without_traces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"no traces"):
        read_vectors([tmp_path], PROTOCOL)


# --------------------------------------------------------------------------------------------------------- traces


def test_a_trace_survives_writing_and_reading(vectors: Sequence[Vector], tmp_path: Path) -> None:
    vector = vectors[0]
    path = tmp_path / "again.itf.json"
    itf.write(vector.trace, path, PROTOCOL)
    again = itf.read(path, PROTOCOL)
    assert again.states == vector.trace.states
    assert again.steps == vector.trace.steps
    second = tmp_path / "second.itf.json"
    itf.write(again, second, PROTOCOL)
    assert second.read_bytes() == path.read_bytes()


def test_traces_have_the_shape_that_other_tools_read() -> None:
    data = json.loads(itf.dumps(read_vectors([VECTORS], PROTOCOL)[0].trace, PROTOCOL))
    assert set(data) == {"#meta", "vars", "states"}
    assert set(data["#meta"]["varTypes"]) == set(data["vars"])
    for index, state in enumerate(data["states"]):
        assert set(state) == {"#meta", *data["vars"]}
        assert state["#meta"] == {"index": index}
    assert data["states"][0]["mbt::actionTaken"] == "init"


def changed(path: Path, into: Path, *keys: object, to: object) -> Path:
    """A copy of a trace file with one place changed."""
    data = json.loads(path.read_text())
    place = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = to
    copy = into / "changed.itf.json"
    copy.write_text(json.dumps(data))
    return copy


@pytest.mark.parametrize(
    ("keys", "to", "said"),
    [
        (("vars",), ["latest"], r"vars: missing .*recorded"),
        (("states",), [], r"states: expected at least one state"),
        (("#meta", "source"), "other", r"#meta.source: expected 'on-demand'"),
        (("states", 1, "mbt::actionTaken"), "fly", r"step 1: mbt::actionTaken: expected an action .*fly"),
        (("states", 1, "recorded"), {"#set": []}, r"step 1: recorded: expected a map"),
        (("states", 1, "told"), {"#set": [{"#tup": ["h1", "p9"]}]}, r"step 1: told: expected a pod among p1"),
        (("states", 1, "told"), {"#set": [{"#tup": ["h1"]}]}, r"step 1: told: expected tuples of 2"),
        (("states", 1, "extra"), 1, r"step 1: extra: is not declared in vars"),
        (
            ("states", 1, "used"),
            {"#set": [{"#tup": ["h1", "r1"]}]},
            r"step 1: used: .* leads to a value other than the one shown",
        ),
        (("states", 1, "recorded", "#map", 0, 1), {"#bigint": "99"}, r"step 1: recorded: expected a version among"),
    ],
)
def test_a_malformed_trace_is_refused_with_its_place(
    keys: tuple[object, ...], to: object, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "whole.itf.json"
    itf.write(read_vectors([VECTORS], PROTOCOL)[0].trace, path, PROTOCOL)
    with pytest.raises(BadInput, match=said):
        itf.read(changed(path, tmp_path, *keys, to=to), PROTOCOL)


def test_what_is_not_json_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.itf.json"
    path.write_text('{"#meta": {},\n "vars": [')
    with pytest.raises(BadInput, match=r"broken.itf.json: line 2: is not JSON"):
        itf.read(path, PROTOCOL)
    with pytest.raises(BadInput, match=r"cannot be read"):
        itf.read(tmp_path / "missing.itf.json", PROTOCOL)
