"""Event logs on the broker: each process writes only its own, and all are collected while they grow."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from conformance.cli.main import program
from conformance.logs.collecting import Collector
from conformance.logs.lines import Vocabulary
from conformance.logs.reading import LogFile
from conformance.logs.system import running, wait_until
from impl.broker import event_topics
from impl.broker.deployment import Deployment
from impl.broker.hosts import AgentFile, add_host, remove_host
from impl.errors import NotAllowed
from impl.events.topic import WAITING_LINES_MAX, TopicSink
from tests.impl.service.programs import environment, ondemand, programs


@pytest.fixture
def recorded(deployment: Deployment) -> Iterator[Deployment]:
    """A deployment that keeps event logs, which are removed with it."""
    event_topics.prepare(deployment)
    yield deployment
    event_topics.remove(deployment)


def sink_of(agent: AgentFile, process: str) -> TopicSink:
    return TopicSink(agent.deployment(), agent.token, process)


def collected(deployment: Deployment, since: float | None = None) -> list[bytes]:
    with Collector(deployment, since) as collector:
        collector.look()
        return list(collector.lines())


def test_a_deployment_is_recorded_while_processes_are_killed(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each start is a new run; a killed run has no end, and at most its last few lines are missing."""
    for name, value in environment(deployment, tmp_path).items():
        monkeypatch.setenv(name, value)
    out = tmp_path / "events.ndjson"
    first = CliRunner().invoke(program, ["record", "--out", str(out)])
    assert first.exit_code in (0, 3), first.output
    with programs(deployment, tmp_path, dpm=["--events", "broker"]) as system:
        system.ncm = type(system.ncm)("ncm", tmp_path, system.variables, "ncm", "--events", "broker")
        h1 = system.agent("h1", "--events", "broker")
        h2 = system.agent("h2", "--events", str(tmp_path / "h2.ndjson"))
        for item in (system.ncm, system.dpm, h1, h2):
            item.start()
        # In the protocol hosts exist from the start, so nothing is placed before NCM knows them.
        with Collector(deployment) as collector:
            collector.look()
            met: list[bytes] = []

            def both_met() -> bool:
                met.extend(line for line in collector.lines() if b'"on-demand.greet"' in line)
                return len(met) == 2

            wait_until(both_met, "NCM to have met both agents", [])
        system.dpm.say("place red/p1 h1")
        system.dpm.say("place red/p2 h2")
        system.dpm.wait_for("done red/p1 version 1")
        system.dpm.wait_for("done red/p2 version 1")
        h1.say_until("packet red/p1 red/p2", "forward red/p1 red/p2 to h2")
        h2.kill()
        h2.start()
        started = b"on-demand.restart"
        wait_until(lambda: (tmp_path / "h2.ndjson").read_bytes().count(started) == 2, "h2 to start anew", [])
        assert [item.stop() for item in (h1, h2, system.dpm, system.ncm)] == [0, 0, 0, 0]
    done = CliRunner().invoke(program, ["record", "--out", str(out), "--json", str(tmp_path / "summary.json")])
    assert done.exit_code == 0, done.output
    lines = [record.line for record in LogFile(out, Vocabulary())]
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["lines"] == len(lines)
    assert {line.process for line in lines} == {"dpm", "ncm", "aca/h1"}
    runs: dict[str, list[int]] = {}
    for line in lines:
        runs.setdefault(line.run, []).append(line.sequence)
    assert all(sequences == list(range(1, len(sequences) + 1)) for sequences in runs.values())
    assert {"on-demand.place", "on-demand.store", "on-demand.grant", "on-demand.release"} <= {
        each_line.event for each_line in lines
    }
    own = [record.line for record in LogFile(tmp_path / "h2.ndjson", Vocabulary())]
    starts = [line for line in own if line.event == "on-demand.restart"]
    assert [line.sequence for line in starts] == [1, 1]
    assert [(line.state or {})["epoch"] for line in starts] == [(("h2", 1),), (("h2", 2),)]
    assert [line.event for line in own].count("process.stopped") == 1, "the run that was killed has no end"
    validated = CliRunner().invoke(
        program, ["validate", "--protocol", "on-demand", str(out), str(tmp_path / "h2.ndjson")]
    )
    assert "Diverges" not in validated.output, validated.output


def test_nobody_writes_anothers_log(recorded: Deployment) -> None:
    h1, h2 = add_host(recorded, "h1"), add_host(recorded, "h2")
    own = sink_of(h1, "h1")
    assert own.write(b'{"line":1}\n')
    own.close()
    for other in ("h2", "dpm", "ncm"):
        with pytest.raises(NotAllowed, match="refused to publish"):
            sink_of(h1, other)
    with pytest.raises(NotAllowed):
        TopicSink(recorded, recorded.token("ncm"), "dpm")
    assert collected(recorded) == [b'{"line":1}\n']
    stranger = AgentFile("h2", h2.service_url, h2.namespace, h2.token)
    with running(recorded) as system:
        connection = system.agent(stranger)()
        with pytest.raises(NotAllowed):
            connection.open_session("aca", [event_topics.topic("h1")])
        connection.close()


def test_a_log_outlives_its_host_and_its_earlier_token(recorded: Deployment) -> None:
    earlier = add_host(recorded, "h1")
    sink = sink_of(earlier, "h1")
    assert sink.write(b"first\n")
    sink.close()
    later = add_host(recorded, "h1")
    with pytest.raises(NotAllowed):
        sink_of(earlier, "h1")
    sink = sink_of(later, "h1")
    assert sink.write(b"second\n")
    sink.close()
    remove_host(recorded, "h1")
    with pytest.raises(NotAllowed):
        sink_of(later, "h1")
    assert collected(recorded) == [b"first\n", b"second\n"]


def test_hosts_that_were_registered_before_get_a_log_too(deployment: Deployment) -> None:
    agent = add_host(deployment, "h1")
    with pytest.raises(NotAllowed, match="run `ondemand record` to prepare"):
        sink_of(agent, "h1")
    event_topics.prepare(deployment)
    sink_of(agent, "h1").close()
    event_topics.remove(deployment)


def test_readers_consume_nothing_and_find_later_lines(recorded: Deployment) -> None:
    sink = TopicSink(recorded, recorded.token("ncm"), "ncm")
    lines = [b'{"line":%d}\n' % number for number in range(2_500)]
    assert all(sink.write(line) for line in lines[:2_000])
    with Collector(recorded) as collector:
        collector.look()
        found: list[bytes] = []
        wait_until(lambda: found.extend(collector.lines()) or len(found) == 2_000, "the lines", [])  # type: ignore[func-returns-value] # extend says nothing
        agent = add_host(recorded, "h1")
        assert all(sink.write(line) for line in lines[2_000:])
        sink.close()
        other = sink_of(agent, "h1")
        assert other.write(b"other\n")
        other.close()
        assert collector.look() == ["events-dpm", "events-h1", "events-ncm"]
        found += collector.lines()
    assert [line for line in found if line != b"other\n"] == lines
    assert b"other\n" in found
    assert collected(recorded).count(b"other\n") == 1


def test_earlier_lines_may_be_skipped(recorded: Deployment) -> None:
    sink = TopicSink(recorded, recorded.token("ncm"), "ncm")
    assert sink.write(b"line\n")
    sink.close()
    assert collected(recorded, time.time() + 1_000) == []
    assert collected(recorded, time.time() - 1_000) == [b"line\n"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_new_lines_are_followed_until_an_interrupt(
    recorded: Deployment, tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "live.ndjson"
    follower = subprocess.Popen(
        ondemand("record", "--follow", "--out", str(out)), env=environment(recorded, tmp_path), stderr=subprocess.PIPE
    )
    try:
        wait_until(out.exists, "the file", [])
        sink = TopicSink(recorded, recorded.token("ncm"), "ncm")
        assert sink.write(b"line\n")
        sink.close()
        wait_until(lambda: out.read_bytes() == b"line\n", "the line", [])
        follower.send_signal(number)
        _, said = follower.communicate(timeout=30)
        assert follower.returncode == 0, said
        assert b"1 lines of 2 topics" in said
    finally:
        follower.kill()
        follower.wait()


def test_a_process_does_not_wait_for_a_broker_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    """Lines that fit into the buffer are kept until the broker is available; the rest is lost and counted."""
    nowhere = Deployment("pulsar://127.0.0.1:1", "http://127.0.0.1:1", "", b"k" * 32)
    caplog.set_level(logging.WARNING, "ondemand")
    sink = TopicSink(nowhere, "token", "ncm")
    assert all(sink.write(b"line\n") for _ in range(WAITING_LINES_MAX))
    assert not sink.write(b"line\n")
    assert sink.lost == 1
    assert "the log has a gap" in caplog.text
    sink.close()
    assert f"{WAITING_LINES_MAX + 1} lines of the event log were lost" in caplog.text
