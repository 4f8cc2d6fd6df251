"""Edge cases of a recorder: full sinks, large states, malformed ids, and inputs that are several steps."""

from __future__ import annotations

from collections.abc import Sequence

from impl.core import Effects, Event, Send
from impl.events.line import LINE_BYTES_MAX, Line, State, decoded, message_id
from impl.events.on_demand import OnDemandNcmProjection
from impl.events.recorder import Projection, Recorder
from impl.messages import Config, Granted, Hello, Pod, Reason, Refused, Registered, Request, Route
from impl.on_demand.ncm import Channel, Ncm

P1, P2 = Pod("red", "p1"), Pod("red", "p2")
DPM, H1, H2 = Channel("dpm"), Channel("host", "h1"), Channel("host", "h2")


class Lines:
    """A sink that keeps its lines, as long as there is room."""

    def __init__(self, room: int = 1_000) -> None:
        self.lines: list[Line] = []
        self.room = room

    def write(self, line: bytes) -> bool:
        assert line.endswith(b"\n")
        assert len(line) <= LINE_BYTES_MAX
        if len(self.lines) >= self.room:
            return False
        self.lines.append(decoded(line))
        return True

    def close(self) -> None:
        """Nothing to write out."""


class Large:
    """A projection with a large state and no entries for a step."""

    def after(self, event: Event, sends: Sequence[Send]) -> State:
        return {}

    def state(self) -> State:
        return {"latest": tuple((f"red/{number}", 1) for number in range(100_000))}


def recorder_of(sink: Lines, projection: Projection, lines_per_state: int = 10_000) -> Recorder:
    made = Recorder("ncm", {"on-demand": projection}, sink, clock=lambda: 5, lines_per_state=lines_per_state)
    made.begin()
    return made


def ncm() -> tuple[Ncm, Lines, Recorder]:
    """NCM with two hosts, of which only h2 was seen, and a pod at each."""
    core, sink = Ncm(), Lines()
    for message in (Registered("h1"), Registered("h2"), Config(P1, 1, "h1"), Config(P2, 1, "h2")):
        core.receive(message, DPM)
    core.receive(Hello("h2", 1), H2)
    return core, sink, recorder_of(sink, OnDemandNcmProjection(core))


def test_a_request_that_greets_is_two_steps_and_each_tells_what_it_left() -> None:
    core, sink, recorder = ncm()
    taken = message_id("aca/h1", "0" * 16, 3, 0)
    ids = recorder.note(core.receive(Request("h1", 1, 7, P1, P2), H1), taken)
    greet, grant = sink.lines[1:]
    assert (greet.event, grant.event) == ("on-demand.greet_by_request", "on-demand.grant")
    assert (greet.taken, grant.taken) == (taken, taken)
    assert greet.sent == (("route", "h1", 1, "red/p1", 1),)
    assert grant.sent == (("granted", "h1", 1, "1.7", "red/p2", 1),)
    assert (greet.after or {})["told"] == (("h1", "red/p1", True),), "h1 is told of p2 by the grant, and not before"
    assert (grant.after or {})["told"] == (("h1", "red/p2", True),)
    assert ids == [message_id("ncm", recorder.run, 2, 0), message_id("ncm", recorder.run, 3, 0)]


def test_a_message_that_no_step_may_send_is_shown_with_the_last_one() -> None:
    _, sink, recorder = ncm()
    granted = Granted("h2", 1, 1, P1, 1, "h1")
    event = Event("end", {"pod": P1, "version": 1}, "on-demand.report_done")
    recorder.note(Effects(sends=(Send("inbox-h2", granted, "h2"),), events=(event,)))
    assert sink.lines[-1].sent == (("granted", "h2", 1, "1.1", "red/p1", 1),)


def test_what_a_sink_has_no_room_for_leaves_a_gap_and_no_message_claims_it() -> None:
    core, sink, recorder = ncm()
    sink.room = 2
    first = recorder.note(core.receive(Request("h2", 1, 1, P2, P1), H2))
    second = recorder.note(core.receive(Request("h2", 1, 2, P2, P1), H2))
    sink.room = 10
    third = recorder.note(core.receive(Request("h2", 1, 3, P2, P1), H2))
    assert [line.sequence for line in sink.lines] == [1, 2, 4]
    assert (second, recorder.lost) == ([""], 1)
    assert [*first, *third] == [message_id("ncm", recorder.run, number, 0) for number in (2, 4)]


def test_an_id_that_is_none_is_not_repeated() -> None:
    """The id is the sender's claim, which may be anything."""
    core, sink, recorder = ncm()
    recorder.note(core.receive(Request("h2", 1, 1, P2, P1), H2), 'x" : "forged' * 1_000)
    assert sink.lines[-1].taken is None


def test_who_asks_in_anothers_name_is_no_step_and_its_answer_no_message() -> None:
    core, sink, recorder = ncm()
    effects = core.receive(Request("h1", 1, 1, P1, P2), H2)
    assert [send.message for send in effects.sends] == [Refused("h2", 1, 1, Reason.NOT_YOUR_CHANNEL)]
    assert recorder.note(effects) == [""]
    assert (sink.lines[-1].event, sink.lines[-1].sent) == ("request.turned_down", None)
    assert sink.lines[-1].attributes == {"host": "h2", "epoch": 1, "asked_by": "1.1", "named": "h1"}


def test_a_state_that_does_not_fit_is_left_out_and_its_size_is_said() -> None:
    sink = Lines()
    recorder_of(sink, Large())
    (line,) = sink.lines
    assert (line.event, line.state) == ("process.started", None)
    assert int(line.attributes["bytes"]) > LINE_BYTES_MAX


def test_the_whole_state_is_told_every_so_many_lines() -> None:
    core, sink, _ = ncm()
    recorder = recorder_of(sink, OnDemandNcmProjection(core), lines_per_state=3)
    for number in range(6):
        recorder.note(core.receive(Request("h2", 1, number + 1, P2, P1), H2))
    told = [line.sequence for line in sink.lines if line.run == recorder.run and line.state is not None]
    assert told == [1, 4, 7, 10]
    last = [line.event for line in sink.lines if line.state is not None][-1]
    assert last == "process.snapshot"


def test_effects_without_a_step_write_nothing() -> None:
    _, sink, recorder = ncm()
    route = Send("inbox-h2", Route("h2", 1, P2, 1, "h2"), "h2")
    assert recorder.note(Effects(sends=(route,), events=(Event("learn"),))) == [""]
    assert [line.event for line in sink.lines] == ["process.started"]
