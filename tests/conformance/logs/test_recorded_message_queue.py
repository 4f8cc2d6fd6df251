"""The event logs of a VPC's topic on a real broker: opened, used, closed, with an agent that leaves and returns."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from conformance.logs.lines import Vocabulary
from conformance.logs.one_pass import validate
from conformance.logs.reading import LogFile
from conformance.protocols import named
from impl.broker.deployment import Deployment
from impl.events.file import FileSink
from impl.events.line import Line
from tests.impl.message_queue.system import SMALL, scene


def recorded(deployment: Deployment, path: Path) -> list[Line]:
    """The lines of the whole life of a topic; each matches the published schema."""
    with closing(FileSink(path)) as sink, scene(deployment, "h1", "h2", "h3", events=sink) as on:
        on.start("h1", "h2")
        on.start_agent("h3", deaf=True)
        on.place("red", h1=1, h2=1, h3=1)
        on.until_done("red", on.revise("red", b"one"))
        on.place("red", h1=2)
        on.until_channel("red", "mq")
        on.until_done("red", on.revise("red", b"two"))
        on.system.stop_one(on.agents["h2"])
        revisions = [on.revise("red", data) for data in (b"three", b"four")]
        on.start_agent("h2")
        for revision in revisions:
            on.until_done("red", revision)
        on.remove("red", h1=3, h3=1)
        on.until_channel("red", "grpc")
        on.until_done("red", on.revise("red", b"five"))
    vocabulary = Vocabulary()
    lines = [record.line for record in LogFile(path, vocabulary)]
    assert all(vocabulary.fault(line) is None for line in lines)
    return lines


def test_the_life_of_a_topic_is_recorded(deployment: Deployment, tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    lines = recorded(deployment, path)
    seen = Counter(line.event.removeprefix("message-queue.") for line in lines)
    assert seen.keys() >= {
        *("add_port", "remove_port", "change_rules", "open_topic", "close_topic", "send_directly", "publish"),
        *("finish_opening", "finish_closing", "ask", "ask_again", "give_up", "hear_acceptance", "leave"),
        *(
            "end_subscription",
            "greet",
            "acknowledge",
            "report_done",
            "restart",
            "learn",
            "accept",
            "receive",
            "consume",
        ),
    }
    (started,) = [line for line in lines if line.event == "process.started"]
    assert started.attributes == asdict(SMALL)
    published = [line for line in lines if line.event == "message-queue.publish"]
    assert all(line.sent is None or {message[0] for message in line.sent} == {"push"} for line in published)
    consumed = [line for line in lines if line.event == "message-queue.consume"]
    assert {line.process for line in consumed} <= {"aca/h1", "aca/h2"}
    verdict = validate([LogFile(path)], protocols=[named("message-queue")], thresholds=asdict(SMALL))
    assert verdict.verdict == "conforms", verdict
