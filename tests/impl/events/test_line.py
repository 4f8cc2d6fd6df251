"""A line of an event log, as stored in a file."""

from __future__ import annotations

import json

import msgspec
import pytest

from impl.events import encoding
from impl.events.line import MESSAGE_ID, Line, decoded, encoded, message_id, new_run
from impl.messages import Pod

RUN = "00112233445566ff"
GRANT = Line(
    process="ncm",
    run=RUN,
    sequence=7,
    time=1_700_000_000_000_000_000,
    event="on-demand.grant",
    attributes={"host": "h1", "epoch": 1, "asked_by": "1.17", "destination": "red/10.0.0.2", "version": 3},
    taken=message_id("aca/h1", RUN, 4, 0),
    sent=(("granted", "h1", 1, "1.17", "red/10.0.0.2", 3),),
    after={"told": (("h1", "red/10.0.0.2", True),)},
)


def test_a_line_has_the_keys_that_are_published() -> None:
    assert list(json.loads(encoded(GRANT))) == [
        "service.instance.id",
        "run",
        "sequence",
        "time_unix_nano",
        "event.name",
        "attributes",
        "messaging.message.id",
        "sent",
        "after",
    ]


def test_a_line_is_read_as_it_was_written() -> None:
    assert decoded(encoded(GRANT)) == GRANT
    assert b"\n" not in encoded(GRANT)


def test_what_a_line_does_not_say_is_left_out() -> None:
    bare = Line(process="dpm", run=RUN, sequence=1, time=1, event="process.stopped", attributes={})
    assert {"messaging.message.id", "sent", "after", "state"}.isdisjoint(json.loads(encoded(bare)))
    assert decoded(encoded(bare)) == bare


@pytest.mark.parametrize(
    ("key", "value"),
    [("sequence", "7"), ("attributes", {"host": 1.5}), ("sent", ["granted"]), ("after", {"told": 1}), ("surprise", 1)],
)
def test_what_is_no_line_is_refused(key: str, value: object) -> None:
    text = json.dumps({**json.loads(encoded(GRANT)), key: value})
    with pytest.raises(msgspec.ValidationError):
        decoded(text)


def test_an_id_says_who_sent_a_message_and_by_which_line() -> None:
    found = MESSAGE_ID.fullmatch(message_id("aca/h1", RUN, 12, 3))
    assert found is not None
    assert found.groupdict() == {"process": "aca/h1", "run": RUN, "sequence": "12", "index": "3"}


@pytest.mark.parametrize("text", ["", "ncm:1.0", f"ncm:{RUN}:0.0", f"ncm:{RUN}:1.0\n", f"other:{RUN}:1.0"])
def test_what_is_no_id_is_told_from_one(text: str) -> None:
    assert MESSAGE_ID.fullmatch(text) is None


def test_every_run_has_a_name_of_its_own() -> None:
    names = {new_run() for _ in range(100)}
    assert len(names) == 100
    assert all(MESSAGE_ID.fullmatch(message_id("dpm", name, 1, 0)) for name in names)


@pytest.mark.parametrize(
    ("pod", "word"),
    [
        (Pod("red", "10.0.0.1"), "red/10.0.0.1"),
        (Pod("red", "fe80::1"), "red/fe80::1"),
        (Pod("red", "10.0.0.0/24"), "red/10.0.0.0%2F24"),
        (Pod("a/b", "c"), "a%2Fb/c"),
        (Pod("a", "b/c"), "a/b%2Fc"),
        (Pod("a%2Fb", "c"), "a%252Fb/c"),
        (Pod("the red one", "p"), "the%20red%20one/p"),
    ],
)
def test_a_pod_has_one_word_whatever_its_names_are(pod: Pod, word: str) -> None:
    assert encoding.pod(pod) == word
