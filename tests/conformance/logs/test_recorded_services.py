"""Event logs of free-running services: complete, valid by the published schema, and correct about what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.logs.lines import Vocabulary
from conformance.logs.reading import LogFile
from conformance.logs.system import wait_until
from impl.errors import BadDeployment, EnvironmentProblem
from impl.events.event_schema import ACTIONS
from impl.events.file import FileSink
from impl.events.line import MESSAGE_ID, Line
from impl.messages import Kind, Pod
from impl.service.ncm import NcmService
from tests.impl.service.test_service import P1, P2, QUICK, World

UNKNOWN = Pod("red", "p9")


class Log:
    """A file sink and the content of its file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sink = FileSink(path)

    def lines(self) -> list[Line]:
        """All lines; each is valid by the schema."""
        vocabulary = Vocabulary()
        lines = [record.line for record in LogFile(self.path, vocabulary)]
        for line in lines:
            assert vocabulary.fault(line) is None
            assert vocabulary.accepts(line), line
        return lines


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """A log in a new file."""
    made = Log(tmp_path / "events.ndjson")
    yield made
    made.sink.close()


def run_a_little(world: World) -> None:
    """Pods are placed, found, moved, requested in vain and removed; shared configuration changes; NCM and an agent restart."""
    world.start(world.ncm, world.dpm, world.h1, world.h2)
    world.place_both()
    world.h1.send(P1, P2)
    world.h1.send(P1, P2)
    world.h1.send(P1, UNKNOWN)
    world.h1.send(P1, UNKNOWN)
    world.h1.send(P1, Pod("blue", "p1"))
    wait_until(lambda: not world.h1.aca.may_evict(P2), "the route to be evicted", [])
    wait_until(lambda: not world.h1.aca.is_paused(P1, UNKNOWN), "the pause to end", [])
    world.dpm.revise("red", Kind.SUBNET, b"10.0.0.0/24").result(10)
    world.dpm.place(P2, "h1").result(10)
    world.dpm.remove(P2).result(10)
    wait_until(lambda: not world.dpm.dpm.pending(), "confirmation", [])


def by_run(lines: list[Line]) -> dict[tuple[str, str], list[Line]]:
    found = defaultdict(list)
    for line in lines:
        found[line.process, line.run].append(line)
    return found


def test_a_deployment_records_all_its_steps(log: Log) -> None:
    world = World(events=log.sink)
    run_a_little(world)
    world.stop()
    lines = log.lines()
    for (process, _), run in by_run(lines).items():
        assert [line.sequence for line in run] == list(range(1, len(run) + 1))
        assert run[0].event == ("on-demand.restart" if process.startswith("aca/") else "process.started")
        assert run[0].state is not None
        assert run[-1].event == "process.stopped"
    assert set(by_run(lines)) >= {(line.process, line.run) for line in lines}
    assert {"dpm", "ncm", "aca/h1", "aca/h2"} == {line.process for line in lines}
    seen = {line.event for line in lines}
    assert seen >= {
        *("on-demand.place", "on-demand.remove", "on-demand.complete", "on-demand.store", "on-demand.greet"),
        *("on-demand.grant", "on-demand.refuse", "on-demand.acknowledge", "on-demand.report_done", "on-demand.learn"),
        *("on-demand.ask", "on-demand.release", "on-demand.deliver", "on-demand.drop", "on-demand.drop_as_refused"),
        *("on-demand.evict", "on-demand.resume", "message-queue.restart", "message-queue.add_port", "packet.dropped"),
        *("message-queue.change_rules", "message-queue.remove_port", "host.registered", "process.stopped"),
    }


def test_every_message_is_taken_under_the_id_of_the_line_that_sent_it(log: Log) -> None:
    world = World(events=log.sink)
    run_a_little(world)
    world.stop()
    lines = log.lines()
    sent = {}
    for line in lines:
        for index, message in enumerate(line.sent or ()):
            protocol = line.event.split(".")[0]
            name = str(message[0]) if "." in str(message[0]) else f"{protocol}.{message[0]}"
            sent[f"{line.process}:{line.run}:{line.sequence}.{index}"] = (name, *message[1:])
    taking = [line for line in lines if line.taken is not None]
    assert all(MESSAGE_ID.fullmatch(line.taken or "") for line in taking)
    for line in taking:
        name, *arguments = map(str, sent[line.taken or ""])
        action = ACTIONS.get(line.event)
        if action is not None:
            assert name == f"{line.event.split('.')[0]}.{action.takes}"
            shared = {"host", "epoch", "pod", "version", "vpc", "revision"} & set(action.parameters)
            said = {str(line.attributes[item]) for item in shared}
            assert said <= set(arguments) | {line.process.removeprefix("aca/")}
    wanted = [line for line in lines if line.event in ACTIONS and ACTIONS[line.event].takes]
    assert len(wanted) > 10
    assert all(line.taken for line in wanted)


def test_without_a_log_no_message_carries_an_id() -> None:
    world = World()
    origins: list[str] = []
    publish = world.broker.publish

    def note(letters: object) -> None:
        origins.extend(letter.origin for letter in letters)  # type: ignore[attr-defined] # a sequence of letters
        publish(letters)  # type: ignore[arg-type] # as above

    world.broker.publish = note  # type: ignore[method-assign] # observes what is published
    run_a_little(world)
    world.stop()
    assert len(origins) > 10
    assert not any(origins)


def test_a_restarted_process_begins_a_run_with_its_restored_state(log: Log) -> None:
    world = World(events=log.sink)
    world.start(world.ncm, world.dpm, world.h1, world.h2)
    world.place_both()
    world.stop(world.ncm)
    world.start(NcmService(world.stores["ncm"], world.connect, QUICK, log.sink))
    world.h1.send(P1, P2)
    world.stop()
    first, second = [run for (process, _), run in by_run(log.lines()).items() if process == "ncm"]
    assert (first[0].event, second[0].event) == ("process.started", "process.started")
    assert first[0].run != second[0].run
    assert second[0].sequence == 1
    assert (first[0].state or {})["on-demand.recorded"] == ()
    assert set((second[0].state or {})["on-demand.recorded"]) == {("red/p1", 1), ("red/p2", 1)}


def test_what_a_killed_program_did_not_finish_is_removed_before_others_are_written(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    whole = b'{"service.instance.id":1}\n' * 50_000
    for unfinished in (b"{", b'{"service.instance.id":"nc', b""):
        path.write_bytes(whole + unfinished)
        sink = FileSink(path)
        assert sink.write(b'{"three":3}\n')
        sink.close()
        assert path.read_bytes() == whole + b'{"three":3}\n'


@pytest.mark.parametrize("text", [b"no log", b"{}", b'line\n{"other":', b'{"service.instance.id":' * 50_000])
def test_a_file_that_is_no_log_is_left_as_it_is(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "thesis.txt"
    path.write_bytes(text)
    with pytest.raises(BadDeployment, match="does not end as an event log does; name another file"):
        FileSink(path)
    assert path.read_bytes() == text


def test_a_file_has_one_writer(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "events.ndjson")
    with pytest.raises(EnvironmentProblem, match="another program writes its events there"):
        FileSink(tmp_path / "events.ndjson")
    sink.close()
    FileSink(tmp_path / "events.ndjson").close()


def test_a_file_that_cannot_be_created_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadDeployment, match=r"none/events: cannot be written .*; name another file"):
        FileSink(tmp_path / "none" / "events")


FULL = """
import logging, pathlib, resource, signal, sys

from impl.events.file import FileSink
logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stdout)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (30, resource.RLIM_INFINITY))
sink = FileSink(pathlib.Path(sys.argv[1]))
print([sink.write(b'{"service":1}\\n') for _ in range(5)])
"""


def test_a_full_disk_ends_the_log_and_not_the_process(tmp_path: Path) -> None:
    """Nothing is written after the gap, and one sentence says so."""
    path = tmp_path / "events.ndjson"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    said = done.stdout.splitlines()
    assert said[-1] == "[True, True, False, False, False]"
    assert len(said) == 2
    assert "the event log ends here, and the service continues without it" in said[0]
    line = b'{"service":1}\n'
    assert path.read_bytes() == line + line + line[:2]
    FileSink(path).close()
    assert path.read_bytes() == line + line
