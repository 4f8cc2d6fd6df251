"""The fleet that records logs for benchmarks: its logs are complete, match the published schema, and conform."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.logs.deployed import record_on_broker
from conformance.logs.fleet import Recorded, Restless, record_in_memory
from conformance.logs.lines import Vocabulary
from conformance.logs.one_pass import validate
from conformance.logs.reading import LogFile
from conformance.protocols import named
from conformance.replay.cores import Cores
from impl.broker.deployment import Deployment
from impl.core import Effects
from impl.messages import Applied, Pod
from impl.on_demand.dpm import Dpm
from impl.on_demand.ncm import Ncm

EVENTS = 6_000
AGENTS = 20


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """The logs of a small fleet."""
    return record_in_memory(tmp_path_factory.mktemp("fleet"), EVENTS, agents=AGENTS)


def test_every_process_has_a_complete_log_of_its_own(recorded: Recorded) -> None:
    assert len(recorded.files) == AGENTS + 2
    lines = 0
    for path in recorded.files:
        expected: dict[str, int] = {}
        for record in LogFile(path, Vocabulary()):
            line = record.line
            assert line.process.removeprefix("aca/") == path.stem
            assert line.sequence == expected.get(line.run, 0) + 1
            expected[line.run] = line.sequence
            lines += 1
    assert EVENTS <= lines == recorded.lines < 1.3 * EVENTS
    assert sum(path.stat().st_size for path in recorded.files) == recorded.bytes


def test_every_kind_of_event_is_in_the_logs(recorded: Recorded) -> None:
    seen = Counter(record.line.event for path in recorded.files for record in LogFile(path))
    assert seen.keys() >= {
        *("on-demand.place", "on-demand.remove", "on-demand.store", "on-demand.greet", "on-demand.grant"),
        *("on-demand.refuse", "on-demand.remind", "on-demand.acknowledge", "on-demand.report_done"),
        *("on-demand.complete", "on-demand.deliver", "on-demand.ask", "on-demand.learn", "on-demand.release"),
        *("on-demand.drop_as_refused", "on-demand.resume", "on-demand.evict", "on-demand.restart"),
        *("message-queue.add_port", "message-queue.change_rules", "message-queue.send_directly", "message.ignored"),
    }
    assert seen["on-demand.restart"] > AGENTS


class ConfirmsWithoutEnd(Ncm):
    """Asks for a confirmation again after each confirmation."""

    def confirm(self, message: Applied) -> Effects:
        effects = super().confirm(message)
        return replace(effects, sends=(self._route(message.host, message.pod, self.recorded(message.pod)),))


def test_cores_that_exchange_messages_without_end_are_stopped(tmp_path: Path) -> None:
    with pytest.raises(Restless, match="exchange messages without end"):
        record_in_memory(tmp_path, 500, agents=4, cores=Cores(ncm=ConfirmsWithoutEnd))


def test_cores_that_raise_leave_no_file_open(tmp_path: Path) -> None:
    """A worker that records thousands of faulty cores would run out of file descriptors."""
    with pytest.raises(Restless):
        record_in_memory(tmp_path, 500, agents=4, cores=Cores(ncm=ConfirmsWithoutEnd))
    before = len(os.listdir("/dev/fd"))
    with pytest.raises(Restless):
        record_in_memory(tmp_path, 500, agents=4, cores=Cores(ncm=ConfirmsWithoutEnd))
    assert len(os.listdir("/dev/fd")) == before


class SaysNothing(Dpm):
    def place(self, pod: Pod, host: str) -> Effects:
        return Effects()


def test_cores_that_log_little_end_early(tmp_path: Path) -> None:
    assert 0 < record_in_memory(tmp_path, 5_000, agents=2, cores=Cores(dpm=SaysNothing)).lines < 5_000


def test_the_logs_conform(recorded: Recorded) -> None:
    verdict = validate([LogFile(path) for path in recorded.files], protocols=[named("on-demand")])
    assert verdict.verdict == "conforms", verdict
    assert verdict.events == recorded.lines


def test_logs_of_a_deployment_on_a_broker_conform(deployment: Deployment, tmp_path: Path) -> None:
    made = record_on_broker(deployment, tmp_path, 4_000, agents=12)
    assert len(made.files) == 14
    assert made.lines >= 4_000
    seen = Counter(record.line.event for path in made.files for record in LogFile(path, Vocabulary()))
    assert seen.total() == made.lines
    assert seen["process.started"] == 5, "DPM once, and NCM four times"
    assert min(seen[f"on-demand.{item}"] for item in ("grant", "refuse", "release", "deliver", "store", "learn")) > 0
    verdict = validate([LogFile(path) for path in made.files], protocols=[named("on-demand")])
    assert verdict.verdict == "conforms", verdict
