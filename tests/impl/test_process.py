"""The process runner alone: which outputs it asks for, in which order, without a broker, a store or a thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from impl.core import ADMINISTRATION, Effects, Event, IllegalInput, Send
from impl.errors import NotAllowed, Unreachable
from impl.events.recorder import Recorder
from impl.messages import Hello, Kind, Message, Part, Permit, Published
from impl.outputs import (
    Acknowledge,
    Administer,
    Answer,
    Append,
    Confirm,
    Listen,
    MarkSent,
    Output,
    Publish,
    Role,
    SetAside,
    StopListening,
    Work,
    run,
)
from impl.process import MARKS_MAX, OWED_MAX, Process
from impl.storage.store import Outgoing
from impl.transport.interface import Delivery
from impl.wire.codec import encode

HELLO = Hello("h1", 1)
FIRST, SECOND, THIRD = (Send("goal-states", Hello(host, 1), host) for host in ("a", "b", "c"))
PERMIT = Permit("h1", "red")
WORK = Send(ADMINISTRATION, PERMIT)
HAPPENED = Event("greet")
PARTS = (Part(Kind.SUBNET, b"10.0.0.0/8"),)


def delivery(message: Message = HELLO, number: int = 1, topic: str = "requests-h1") -> Delivery:
    """A message as a transport delivers it."""
    return Delivery(topic, encode(message), "", f"message {number}", 0.0, None, "its line")


class Told(Role):
    """Answers as it is told to, and notes what it is called with in the adapter's list."""

    def __init__(self, effects: Effects, done: list[Any]) -> None:
        self.effects = effects
        self.refuses = False
        self._done = done

    def topics(self) -> list[str]:
        return []

    def take(self, message: Message, topic: str) -> Answer:
        self._done.append("take")
        return self.effects

    def happened(self, event: Event) -> None:
        self._done.append(event)

    def may_be_lost(self, send: Send) -> bool:
        if not self.refuses:
            self._done.append(("undeliverable", send))
        return not self.refuses


class Lines:
    """A recorder's place: notes when it is called, and gives every message an id."""

    def __init__(self, done: list[Any]) -> None:
        self._done = done

    def note(self, effects: Effects, taken: str = "") -> Sequence[str]:
        """See `impl.events.recorder.Recorder`."""
        self._done.append(("note", taken))
        return [f"line {number}" for number, _ in enumerate(effects.sends)]

    def set_aside(self, reason: str) -> None:
        """See `impl.events.recorder.Recorder`."""
        self._done.append("set aside")

    def consumed(self, message: Published) -> None:
        """See `impl.events.recorder.Recorder`."""
        self._done.append(("consumed", message.revision))


class Adapter:
    """A runner, and everything that it has asked for, in order."""

    def __init__(self, effects: Effects | None = None, *, records: bool = False) -> None:
        self.done: list[Any] = []
        self.role = Told(effects or Effects(), self.done)
        self.process = Process(self.role, cast("Recorder", Lines(self.done)) if records else None)
        self.refused: set[Send] = set()
        """Messages that the broker does not allow."""
        self.broken: type[Output] | None = None
        """The output that fails."""
        self._number = 0

    def do(self, work: Work) -> list[Any]:
        """Performs an input, and returns what was done for it."""
        del self.done[:]
        run(work, self._perform)
        return list(self.done)

    def _perform(self, output: Output) -> Any:
        self.done.append(output)
        if type(output) is self.broken:
            raise Unreachable("not now")
        if isinstance(output, Publish) and self.refused & set(output.sends):
            raise NotAllowed("no such topic")
        return self.stored(output.effects) if isinstance(output, Append) else None

    def stored(self, effects: Effects) -> list[Outgoing]:
        """What a store answers."""
        first, self._number = self._number + 1, self._number + len(effects.sends)
        return [Outgoing(first + place, send) for place, send in enumerate(effects.sends)]


def changed(*sends: Send) -> Effects:
    """Effects with a durable change."""
    return Effects({"epoch": 1}, sends, (HAPPENED,))


def published(*sends: Send) -> Publish:
    """As it is asked for where no event log is kept."""
    return Publish(sends, ("",) * len(sends))


def kinds(done: Sequence[Any]) -> list[Any]:
    """The outputs by their class."""
    return [type(item) for item in done if isinstance(item, Output)]


# ------------------------------------------------------------------------------------------------- deliveries


def test_a_change_is_stored_then_told_then_published_then_acknowledged_and_marked_later() -> None:
    effects = changed(FIRST, SECOND)
    adapter = Adapter(effects)
    assert adapter.do(adapter.process.deliver(delivery())) == [
        "take",
        Append(effects),
        HAPPENED,
        published(FIRST, SECOND),
        Acknowledge((delivery(),)),
    ]
    assert adapter.do(adapter.process.settle()) == [MarkSent((Outgoing(1, FIRST), Outgoing(2, SECOND)))]
    assert adapter.do(adapter.process.settle()) == []


def test_without_a_change_nothing_is_stored_and_it_is_acknowledged_behind_a_confirmation() -> None:
    adapter = Adapter(Effects(None, (FIRST,), (HAPPENED,)))
    assert adapter.do(adapter.process.deliver(delivery())) == ["take", HAPPENED, published(FIRST)]
    assert adapter.do(adapter.process.settle()) == [Confirm(), Acknowledge((delivery(),))]
    assert adapter.do(adapter.process.settle()) == []


def test_the_answer_of_an_input_is_the_cores() -> None:
    adapter = Adapter(changed(FIRST))
    assert run(adapter.process.deliver(delivery()), adapter._perform) is adapter.role.effects
    assert run(adapter.process.command(lambda: adapter.role.effects), adapter._perform) is adapter.role.effects


def test_what_changed_nothing_is_acknowledged_together_at_the_limit() -> None:
    adapter = Adapter()
    all_of_them = tuple(delivery(number=number) for number in range(OWED_MAX))
    for one in all_of_them[:-1]:
        assert adapter.do(adapter.process.deliver(one)) == ["take"]
    assert adapter.do(adapter.process.deliver(all_of_them[-1])) == ["take", Confirm(), Acknowledge(all_of_them)]
    assert adapter.do(adapter.process.settle()) == []


def test_what_cannot_be_read_is_set_aside_and_acknowledged_behind_a_confirmation() -> None:
    adapter = Adapter(changed(FIRST), records=True)
    bad = Delivery("requests-h1", b"nonsense", "", "1", 0.0, None)
    first, second = adapter.do(adapter.process.deliver(bad))
    assert isinstance(first, SetAside)
    assert first.delivery == bad
    assert first.reason.startswith("requests-h1: ")
    assert second == "set aside"
    assert adapter.do(adapter.process.settle()) == [Confirm(), Acknowledge((bad,))]


def test_what_cannot_be_set_aside_is_not_acknowledged() -> None:
    adapter = Adapter(records=True)
    adapter.broken = SetAside
    with pytest.raises(Unreachable):
        adapter.do(adapter.process.deliver(Delivery("requests-h1", b"nonsense", "", "1", 0.0, None)))
    assert kinds(adapter.done) == [SetAside]
    assert "set aside" not in adapter.done
    assert adapter.do(adapter.process.settle()) == []


@pytest.mark.parametrize("broken", [Append, Publish])
def test_what_was_not_stored_or_not_published_is_neither_acknowledged_nor_marked(broken: type[Output]) -> None:
    adapter = Adapter(changed(FIRST))
    adapter.broken = broken
    with pytest.raises(Unreachable):
        adapter.do(adapter.process.deliver(delivery()))
    assert not {Acknowledge, MarkSent} & set(kinds(adapter.done))
    assert adapter.do(adapter.process.settle()) == []
    assert adapter.do(adapter.process.leave()) == []


# --------------------------------------------------------------------------------------------------- commands


def test_a_command_is_stored_then_published_and_there_is_nothing_to_acknowledge() -> None:
    effects = changed(FIRST)
    adapter = Adapter()
    assert adapter.do(adapter.process.command(lambda: effects)) == [Append(effects), HAPPENED, published(FIRST)]
    assert adapter.do(adapter.process.settle()) == [MarkSent((Outgoing(1, FIRST),))]


def test_a_command_that_the_core_refuses_has_no_outputs() -> None:
    adapter = Adapter()

    def refuse() -> Effects:
        raise IllegalInput("not now")

    with pytest.raises(IllegalInput, match="not now"):
        adapter.do(adapter.process.command(refuse))
    assert adapter.done == []
    assert adapter.do(adapter.process.settle()) == []


# --------------------------------------------------------------------------------------------- administration


def test_administration_is_done_in_its_place_behind_a_confirmation_and_marked_at_once() -> None:
    effects = changed(FIRST, WORK, SECOND)
    adapter = Adapter(effects)
    marks = MarkSent((Outgoing(1, FIRST), Outgoing(2, WORK), Outgoing(3, SECOND)))
    assert adapter.do(adapter.process.deliver(delivery())) == [
        "take",
        Append(effects),
        HAPPENED,
        published(FIRST),
        Confirm(),
        Administer(PERMIT),
        published(SECOND),
        marks,
        Acknowledge((delivery(),)),
    ]
    assert adapter.do(adapter.process.settle()) == []


def test_each_work_of_the_administration_has_its_own_confirmation() -> None:
    adapter = Adapter()
    done = adapter.do(adapter.process.command(lambda: changed(WORK, WORK)))
    assert kinds(done) == [Append, Confirm, Administer, Confirm, Administer, MarkSent]


def test_a_deposed_instance_has_no_administration_done() -> None:
    adapter = Adapter()
    adapter.broken = Confirm
    with pytest.raises(Unreachable):
        adapter.do(adapter.process.command(lambda: changed(WORK)))
    assert kinds(adapter.done) == [Append, Confirm]


def test_administration_is_marked_with_everything_published_before_it() -> None:
    adapter = Adapter()
    adapter.do(adapter.process.command(lambda: changed(FIRST)))
    done = adapter.do(adapter.process.command(lambda: changed(WORK)))
    assert done[-1] == MarkSent((Outgoing(1, FIRST), Outgoing(2, WORK)))


# ------------------------------------------------------------------------------------------------ not allowed


def test_the_messages_before_and_after_a_refused_one_are_published_and_all_are_marked() -> None:
    adapter = Adapter(changed(FIRST, SECOND, THIRD))
    adapter.refused = {SECOND}
    assert adapter.do(adapter.process.deliver(delivery()))[3:] == [
        published(FIRST, SECOND, THIRD),
        published(FIRST),
        published(SECOND),
        ("undeliverable", SECOND),
        published(THIRD),
        Acknowledge((delivery(),)),
    ]
    marks = (Outgoing(1, FIRST), Outgoing(2, SECOND), Outgoing(3, THIRD))
    assert adapter.do(adapter.process.settle()) == [MarkSent(marks)]


def test_a_refused_message_that_must_be_published_ends_the_process_with_nothing_acknowledged() -> None:
    adapter = Adapter(changed(FIRST, SECOND, THIRD))
    adapter.refused, adapter.role.refuses = {SECOND}, True
    with pytest.raises(NotAllowed, match="no such topic"):
        adapter.do(adapter.process.deliver(delivery()))
    assert adapter.done[3:] == [published(FIRST, SECOND, THIRD), published(FIRST), published(SECOND)]
    assert adapter.do(adapter.process.leave()) == []


def test_another_problem_among_single_messages_is_not_taken_for_a_refusal() -> None:
    adapter = Adapter(changed(FIRST, SECOND))

    def perform(output: Output) -> Any:
        if isinstance(output, Publish):
            raise NotAllowed("no") if len(output.sends) > 1 else Unreachable("gone")
        return adapter._perform(output)

    with pytest.raises(Unreachable):
        run(adapter.process.deliver(delivery()), perform)
    assert ("undeliverable", FIRST) not in adapter.done


def test_only_a_refusal_has_messages_published_one_by_one() -> None:
    adapter = Adapter()
    work = adapter.process.command(lambda: changed(FIRST, SECOND))
    outputs = [work.send(None), work.send([])]
    assert kinds(outputs) == [Append, Publish]
    with pytest.raises(Unreachable):
        work.throw(Unreachable("not now"))


@pytest.mark.parametrize("kind", [Append, Confirm, Administer, MarkSent])
def test_what_is_not_allowed_elsewhere_ends_the_process(kind: type[Output]) -> None:
    adapter = Adapter()

    def perform(output: Output) -> Any:
        if isinstance(output, kind):
            raise NotAllowed("no")
        return adapter._perform(output)

    with pytest.raises(NotAllowed):
        run(adapter.process.command(lambda: changed(WORK)), perform)
    assert not any(isinstance(item, tuple) for item in adapter.done)


# -------------------------------------------------------------------------------------- start, rest and the end


def test_after_a_start_what_is_unpublished_is_published_in_order_and_then_marked() -> None:
    adapter = Adapter()
    unpublished = [Outgoing(7, FIRST), Outgoing(8, WORK), Outgoing(9, SECOND)]
    assert adapter.do(adapter.process.recover(unpublished)) == [
        published(FIRST),
        Confirm(),
        Administer(PERMIT),
        published(SECOND),
        MarkSent(tuple(unpublished)),
    ]
    assert adapter.do(adapter.process.recover([])) == []
    assert adapter.do(adapter.process.leave()) == []


def test_what_is_unpublished_and_refused_is_dropped_at_a_start() -> None:
    adapter = Adapter()
    adapter.refused = {FIRST}
    unpublished = (Outgoing(7, FIRST), Outgoing(8, SECOND))
    done = adapter.do(adapter.process.recover(unpublished))
    assert done[1:] == [published(FIRST), ("undeliverable", FIRST), published(SECOND), MarkSent(unpublished)]


def test_a_quiet_moment_marks_then_confirms_then_acknowledges() -> None:
    adapter = Adapter()
    adapter.do(adapter.process.command(lambda: changed(FIRST)))
    adapter.do(adapter.process.deliver(delivery(number=1)))
    adapter.do(adapter.process.deliver(delivery(number=2)))
    assert adapter.do(adapter.process.settle()) == [
        MarkSent((Outgoing(1, FIRST),)),
        Confirm(),
        Acknowledge((delivery(number=1), delivery(number=2))),
    ]


def test_without_a_confirmation_nothing_is_acknowledged_and_it_stays_owed() -> None:
    adapter = Adapter()
    adapter.do(adapter.process.deliver(delivery()))
    adapter.broken = Confirm
    with pytest.raises(Unreachable):
        adapter.do(adapter.process.settle())
    assert adapter.done == [Confirm()]
    adapter.broken = None
    assert adapter.do(adapter.process.settle()) == [Confirm(), Acknowledge((delivery(),))]


def test_marks_do_not_wait_for_a_quiet_moment_for_ever() -> None:
    adapter = Adapter()
    for _ in range(MARKS_MAX - 1):
        assert MarkSent not in kinds(adapter.do(adapter.process.command(lambda: changed(FIRST))))
    done = adapter.do(adapter.process.command(lambda: changed(FIRST)))
    assert done[-1] == MarkSent(tuple(Outgoing(number, FIRST) for number in range(1, MARKS_MAX + 1)))
    assert adapter.do(adapter.process.leave()) == []


def test_before_the_end_everything_is_marked_and_nothing_is_acknowledged() -> None:
    adapter = Adapter()
    adapter.do(adapter.process.command(lambda: changed(FIRST)))
    adapter.do(adapter.process.deliver(delivery()))
    assert adapter.do(adapter.process.leave()) == [MarkSent((Outgoing(1, FIRST),))]
    assert adapter.do(adapter.process.leave()) == []


def test_of_a_lost_session_nothing_is_acknowledged_and_marks_are_still_made() -> None:
    adapter = Adapter()
    adapter.do(adapter.process.command(lambda: changed(FIRST)))
    adapter.do(adapter.process.deliver(delivery(number=1)))
    adapter.do(adapter.process.connected())
    assert adapter.do(adapter.process.settle()) == [MarkSent((Outgoing(1, FIRST),))]
    adapter.do(adapter.process.deliver(delivery(number=2)))
    assert adapter.do(adapter.process.settle()) == [Confirm(), Acknowledge((delivery(number=2),))]


def test_what_is_owed_is_acknowledged_before_a_consumer_ends() -> None:
    adapter, stop = Adapter(), StopListening("unicast-red", ((1, 1),))

    def hand_over() -> Work:
        yield stop
        return changed()

    adapter.do(adapter.process.deliver(delivery()))
    done = adapter.do(adapter.process.command(hand_over))
    assert done[:3] == [Confirm(), Acknowledge((delivery(),)), stop]
    assert kinds(adapter.do(adapter.process.command(hand_over)))[0] is StopListening


def test_a_role_is_told_that_it_may_not_listen_and_goes_on() -> None:
    adapter, first, second = Adapter(), Listen("unicast-red"), Listen("unicast-blue")

    def listens() -> Work:
        try:
            yield first
        except Unreachable:
            adapter.broken = None
            yield second
        return Effects()

    adapter.broken = Listen
    assert adapter.do(adapter.process.command(listens)) == [first, second]


# ------------------------------------------------------------------------------------------------ the event log


def test_lines_are_written_behind_the_store_and_before_anything_is_told_or_published() -> None:
    effects = changed(FIRST, WORK, SECOND)
    adapter = Adapter(effects, records=True)
    assert adapter.do(adapter.process.deliver(delivery()))[:7] == [
        "take",
        Append(effects),
        ("note", "its line"),
        HAPPENED,
        Publish((FIRST,), ("line 0",)),
        Confirm(),
        Administer(PERMIT),
    ]
    assert Publish((SECOND,), ("line 2",)) in adapter.done
    (letter,) = Publish((SECOND,), ("line 2",)).letters("a tag")
    assert (letter.topic, letter.data, letter.key) == (SECOND.topic, encode(SECOND.message), SECOND.key)
    assert (letter.tag, letter.origin) == ("a tag", "line 2")


def test_a_revision_of_a_vpcs_topic_is_consumed_just_before_it_is_acknowledged() -> None:
    adapter = Adapter(records=True)
    revision = delivery(Published("red", 3, PARTS), topic="multicast-red")
    assert adapter.do(adapter.process.deliver(revision)) == ["take", ("note", "its line")]
    assert adapter.do(adapter.process.settle()) == [Confirm(), ("consumed", 3), Acknowledge((revision,))]


def test_a_revision_that_comes_again_after_a_lost_session_is_consumed_once() -> None:
    adapter = Adapter(records=True)
    revision = delivery(Published("red", 3, PARTS), topic="multicast-red")
    adapter.do(adapter.process.deliver(revision))
    adapter.do(adapter.process.connected())
    assert adapter.do(adapter.process.settle()) == []
    adapter.do(adapter.process.deliver(revision))
    assert adapter.do(adapter.process.settle()) == [Confirm(), ("consumed", 3), Acknowledge((revision,))]


def test_a_revision_of_a_lost_session_is_not_consumed_by_what_has_the_same_identity() -> None:
    """The identity is the transport's, and another session may give it to another message."""
    adapter = Adapter(records=True)
    adapter.do(adapter.process.deliver(delivery(Published("red", 3, PARTS), topic="multicast-red")))
    adapter.do(adapter.process.connected())
    adapter.do(adapter.process.deliver(delivery()))
    assert adapter.do(adapter.process.settle()) == [Confirm(), Acknowledge((delivery(),))]
