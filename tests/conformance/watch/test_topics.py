"""A watch reads event topics while they are written, and resumes after the last line that it took."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.logs.collecting import Collector
from conformance.logs.fleet import record_in_memory
from conformance.logs.system import wait_until
from conformance.logs.validate import Validation
from conformance.watch import checkpoint as checkpoints
from conformance.watch.streams import TopicSource
from conformance.watch.watch import Watch
from impl.broker import event_topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.events.line import Line, decoded, encoded
from impl.events.topic import TopicSink
from tests.conformance.cli.test_commands import Command, ondemand
from tests.impl.service.programs import environment, programs

__all__ = ["ondemand"]

OPTIONS = {"window": 100_000}


@pytest.fixture
def recorded(deployment: Deployment) -> Iterator[Deployment]:
    """A deployment that keeps event logs, which are removed with it."""
    event_topics.prepare(deployment)
    yield deployment
    event_topics.remove(deployment)


def publish(deployment: Deployment, lines: dict[str, list[bytes]]) -> None:
    """Writes lines to the topic of each process, as the administrator, who may write to every topic."""
    with Admin(event_topics.namespace(deployment)) as admin:
        for process in lines:
            admin.create_topic(event_topics.topic(process))
    for process, some in lines.items():
        sink = TopicSink(deployment, deployment.admin_token, process)
        assert all(sink.write(line) for line in some)
        sink.close()
        assert sink.lost == 0


def watched(deployment: Deployment, checkpoint: Path, lines: int) -> Watch:
    """A watch resumed from the checkpoint and run until all watches together have taken `lines` lines."""
    validation = Validation()
    kept = checkpoints.read(checkpoint, OPTIONS)
    if kept is not None:
        checkpoints.resumed(kept, validation)
    positions = kept.positions if kept is not None else {}
    source = TopicSource(deployment, positions)
    watch = Watch(source, validation, checkpoint=checkpoint, options=OPTIONS, positions=positions)
    seen = validation.causal_order

    def enough() -> bool:
        assert watch.run(lambda: not watch.caught_up) is None, watch.verdict
        return seen.lines + seen.waiting >= lines

    wait_until(enough, f"{lines} lines to come", [])
    watch.save()
    source.close()
    return watch


def test_topics_are_read_to_their_end_and_resumed_from_there(recorded: Deployment, tmp_path: Path) -> None:
    """Including topics of later processes, and positions within a batch of the broker."""
    made = record_in_memory(tmp_path, 3_000, agents=5)
    lines = {path.stem: path.read_bytes().splitlines(keepends=True) for path in made.files}
    parts: list[dict[str, list[bytes]]] = [{}, {}, {}]
    for number, (process, some) in enumerate(sorted(lines.items())):
        first, second = len(some) // 3, 2 * len(some) // 3
        parts[0][process], parts[1][process], parts[2][process] = some[:first], some[first:second], some[second:]
        if number % 3 == 0:
            parts[0].pop(process)
            parts[1][process] = some[:second]
    checkpoint, published, lines_of_watches = tmp_path / "watch.json", 0, []
    for part in parts:
        publish(recorded, part)
        published += sum(map(len, part.values()))
        order = watched(recorded, checkpoint, published).validation.causal_order
        lines_of_watches.append(order.lines + order.waiting)
    assert lines_of_watches[-1] == published == made.lines
    last = watched(recorded, checkpoint, published)
    assert sum(position.number for position in last.positions.values()) == published
    verdict = last.validation.finish()
    assert (verdict.verdict, verdict.events) == ("conforms", made.lines)


def test_a_diverging_deployment_ends_its_watch(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ondemand: Command
) -> None:
    for name, value in environment(deployment, tmp_path).items():
        monkeypatch.setenv(name, value)
    event_topics.prepare(deployment)
    with programs(deployment, tmp_path, dpm=["--events", "broker"]) as system:
        system.ncm = type(system.ncm)("ncm", tmp_path, system.variables, "ncm", "--events", "broker")
        h1, h2 = (system.agent(name, "--events", "broker") for name in ("h1", "h2"))
        for item in (system.ncm, system.dpm, h1, h2):
            item.start()
        system.dpm.say("place red/p1 h1")
        system.dpm.say("place red/p2 h2")
        system.dpm.wait_for("done red/p1 version 1")
        system.dpm.wait_for("done red/p2 version 1")
        h1.say_until("packet red/p1 red/p2", "forward red/p1 red/p2 to h2")
        assert [item.stop() for item in (h1, h2, system.dpm, system.ncm)] == [0, 0, 0, 0]
    checkpoint = tmp_path / "watch.json"
    arguments = ["watch", "--once", "--checkpoint", str(checkpoint)]
    done = ondemand(*arguments)
    assert (done.code, "Conforms" in done.out) == (0, True), done
    with Collector(deployment) as collector:
        collector.look()
        last = [line for line in map(decoded, collector.lines()) if line.process == "ncm"][-1]
    wrong = Line(
        process="ncm",
        run=last.run,
        sequence=last.sequence + 1,
        time=last.time,
        event="on-demand.remind",
        attributes={"host": "h2", "pod": "red/p1"},
        sent=(("route", "h2", 1, "red/p1", 1),),
    )
    sink = TopicSink(deployment, deployment.admin_token, "ncm")
    sink.write(encoded(wrong) + b"\n")
    sink.close()
    done = ondemand(*arguments)
    event_topics.remove(deployment)
    said = " ".join(done.out.split())
    assert done.code == 1, done
    assert f"line {position_of(checkpoint, 'events-ncm') + 1}: ncm says remind(h2, red/p1)" in said
    assert "told(h2, red/p1)" in said


def position_of(checkpoint: Path, topic: str) -> int:
    kept = checkpoints.read(checkpoint, {})
    assert kept is not None
    return kept.positions[topic].number
