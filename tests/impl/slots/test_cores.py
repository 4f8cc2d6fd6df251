"""The cores of the topology with slots on inputs that no run of the protocol contains: late, forged, illegal; and restarts."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from impl.core import Effects, IllegalInput
from impl.messages import (
    PAYLOAD_BYTES_MAX,
    Accepted,
    Attend,
    Confirmed,
    Declined,
    Goal,
    Hello,
    Leave,
    Left,
    Message,
    Told,
)
from impl.slots.aca import SlotsAca
from impl.slots.dpm import TURNS_MAX, SlotsDpm
from impl.slots.hashing import slot_of
from impl.storage.store import MemoryStore


def asked() -> SlotsDpm:
    """A DPM that has asked h1 to attend its slot, in its second epoch."""
    dpm = SlotsDpm()
    dpm.allot("red", "h1")
    dpm.hear(Hello("h1", 2), "h1")
    dpm.ask("red", "h1")
    return dpm


def subscribed() -> SlotsDpm:
    """The same, after h1 has accepted."""
    dpm = asked()
    dpm.hear(Accepted("h1", 2, "red", 1), "h1")
    return dpm


def ignored(effects: Effects) -> bool:
    """Whether the input had no effect."""
    return effects.record is None and effects.sends == () and effects.events[0].name == "ignore"


@pytest.mark.parametrize(
    ("answer", "speaker"),
    [
        (Accepted("h1", 2, "red", 1), "h2"),
        (Accepted("h1", 1, "red", 1), "h1"),
        (Accepted("h1", 2, "red", 2), "h1"),
        (Accepted("h1", 2, "blue", 1), "h1"),
        (Left("h1", 2, "red", 1), "h1"),
        (Declined("h1", 2, "red", 0), "h1"),
        (Hello("h1", 2), "h1"),
        (Goal("h1", 2, "red", 1, b""), "h1"),
    ],
)
def test_an_answer_to_anything_but_what_was_said_last_changes_nothing(answer: Message, speaker: str) -> None:
    dpm = asked()
    before = dpm.snapshot()
    assert ignored(dpm.hear(answer, speaker))
    assert dpm.snapshot() == before


def test_who_has_confirmed_is_published_to_at_the_slot_it_was_told_and_all_others_directly() -> None:
    dpm = asked()
    (goal,) = dpm.say("red", "h1", b"one").sends
    assert goal.message == Goal("h1", 2, "red", 1, b"one")
    dpm.hear(Accepted("h1", 2, "red", 1), "h1")
    (told,) = dpm.say("red", "h1", b"two").sends
    assert (told.topic, told.message) == ("unicast-red", Told("h1", "red", 2, b"two"))
    assert slot_of(told.key) == dpm.allotment.slot("red", "h1")
    assert dpm.say("red", "h2", b"three").sends == ()  # never seen: it is sent when the host is seen


def test_a_confirmation_counts_for_its_host_epoch_and_revision_only() -> None:
    dpm = subscribed()
    dpm.say("red", "h1", b"one")
    dpm.say("red", "h1", b"two")
    for wrong in (
        Confirmed("h2", 2, "red", 1),
        Confirmed("h1", 1, "red", 2),
        Confirmed("h1", 2, "blue", 1),
        Confirmed("h1", 2, "red", 3),
        Hello("h1", 3),
    ):
        assert ignored(dpm.confirm(wrong)), wrong
    dpm.confirm(Confirmed("h1", 2, "red", 1))
    assert dpm.member("red", "h1").confirmed == 1
    assert ignored(dpm.confirm(Confirmed("h1", 2, "red", 1)))


def test_what_the_filler_was_handed_goes_directly_and_it_is_the_newest() -> None:
    dpm = subscribed()
    old = Told("h1", "red", 1, b"one")
    dpm.say("red", "h1", b"one")
    (leave,) = dpm.lost("red", "h1").sends
    assert leave.message == Leave("h1", 2, "red", 2)
    dpm.say("red", "h1", b"two")
    (goal,) = dpm.hand_back(old).sends
    assert goal.message == Goal("h1", 2, "red", 2, b"two")
    assert dpm.lost("red", "h1") == Effects()  # already seen


def test_a_host_is_asked_a_few_times_in_an_epoch_and_no_more() -> None:
    dpm = asked()
    for turn in range(1, TURNS_MAX, 2):
        dpm.give_up("red", "h1")
        assert not dpm.may_ask("red", "h1")
        dpm.hear(Left("h1", 2, "red", turn + 1), "h1")
        if turn + 1 < TURNS_MAX:
            dpm.ask("red", "h1")
    assert not dpm.may_ask("red", "h1")
    with pytest.raises(IllegalInput, match=r"h1 in red .*: ask"):
        dpm.ask("red", "h1")
    dpm.hear(Hello("h1", 3), "h1")
    assert dpm.may_ask("red", "h1")


def test_what_is_no_legal_move_is_refused_with_what_is_the_case() -> None:
    dpm = asked()
    for move, said in (
        (dpm.release, "h1 in red is asked, not direct: release"),
        (dpm.dismiss, "h1 in red is asked, not subscribed: dismiss"),
        (dpm.lost, "h1 in red is expected at its slot: lost"),
    ):
        with pytest.raises(IllegalInput, match=said):
            move("red", "h1")
    with pytest.raises(IllegalInput, match="h2 in red is direct, not asked: give up"):
        dpm.give_up("red", "h2")
    with pytest.raises(IllegalInput, match=f"and a revision has {PAYLOAD_BYTES_MAX} at most: say"):
        dpm.say("red", "h1", bytes(PAYLOAD_BYTES_MAX + 1))
    with pytest.raises(IllegalInput, match=r"h2 in red .*slot None\): ask"):
        dpm.ask("red", "h2")


@pytest.mark.parametrize("records_max", [1, 1_000])
def test_a_restart_of_dpm_forgets_nothing(records_max: int) -> None:
    store, dpm = MemoryStore(records_max), SlotsDpm()
    inputs: tuple[Callable[[], Effects], ...] = (
        lambda: dpm.allot("red", "h1"),
        lambda: dpm.allot("red", "h2"),
        lambda: dpm.hear(Hello("h1", 1), "h1"),
        lambda: dpm.ask("red", "h1"),
        lambda: dpm.hear(Accepted("h1", 1, "red", 1), "h1"),
        lambda: dpm.say("red", "h1", b"one"),
        lambda: dpm.confirm(Confirmed("h1", 1, "red", 1)),
        lambda: dpm.say("red", "h2", b"two"),
        lambda: dpm.release("red", "h2"),
        lambda: dpm.hear(Hello("h1", 2), "h1"),
    )
    for take in inputs:
        store.append(take(), dpm)
    again = SlotsDpm()
    store.load(again)
    assert json.dumps(again.snapshot(), sort_keys=True) == json.dumps(dpm.snapshot(), sort_keys=True)
    assert again.member("red", "h1").newest == 1
    assert again.member("red", "h1").stage == "direct"


def test_an_agent_does_only_what_is_newer_and_for_its_epoch() -> None:
    agent = SlotsAca("h1")
    agent.start()
    agent.start()
    for stale in (Attend("h1", 1, "red", 1, 5), Attend("h2", 2, "red", 1, 5)):
        assert not agent.is_to_do(stale)
        with pytest.raises(IllegalInput, match=r"ACA h1 \(epoch 2, turn 0 of red\)"):
            agent.accept(stale)
    agent.leave(Leave("h1", 2, "red", 2))
    assert not agent.is_to_do(Attend("h1", 2, "red", 1, 5))  # overtaken by the request that revokes it
    agent.accept(Attend("h1", 2, "red", 3, 5))
    assert agent.slot("red") == 5


def test_an_agent_applies_before_it_acknowledges_and_never_what_is_anothers() -> None:
    agent = SlotsAca("h1")
    agent.start()
    mine, others = Told("h1", "red", 2, b""), Told("h2", "red", 3, b"")
    assert not agent.may_acknowledge(mine)
    (confirmed,) = agent.take(mine).sends
    assert (confirmed.topic, confirmed.message) == ("acknowledgments-red", Confirmed("h1", 1, "red", 2))
    assert agent.may_acknowledge(mine)
    assert ignored(agent.take(others))
    assert not agent.may_acknowledge(others)
    assert ignored(agent.take(Goal("h1", 2, "red", 9, b"")))
    assert ignored(agent.take(Goal("h1", 1, "red", 2, b"")))
    agent.take(Told("h1", "red", 1, b""))  # redelivered, late
    assert agent.known("red") == 2
    assert agent.may_acknowledge(Told("h1", "red", 1, b""))


def test_a_restarted_agent_keeps_its_epoch_and_nothing_else() -> None:
    store, agent = MemoryStore(), SlotsAca("h1")
    store.append(agent.start(), agent)
    agent.accept(Attend("h1", 1, "red", 1, 5))
    agent.take(Told("h1", "red", 1, b""))
    again = SlotsAca("h1")
    store.load(again)
    (hello,) = again.start().sends
    assert hello.message == Hello("h1", 2)
    assert (again.known("red"), again.heard("red"), again.slot("red")) == (0, 0, None)
