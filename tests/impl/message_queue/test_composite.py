"""DPM and an agent as composites: pods count as ports, and one input is one record."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from impl.composite import CompositeAca, CompositeDpm
from impl.core import Effects, IllegalInput
from impl.message_queue.aca import MessageQueueAca
from impl.message_queue.dpm import MessageQueueDpm
from impl.message_queue.thresholds import Thresholds
from impl.messages import Hello, Outcome, Pod, Report
from impl.on_demand.aca import Aca
from impl.on_demand.dpm import Dpm
from impl.storage.store import MemoryStore

P1, P2, P3 = Pod("red", "p1"), Pod("red", "p2"), Pod("red", "p3")


def whole_dpm() -> CompositeDpm:
    """A DPM with empty state."""
    return CompositeDpm(Dpm(), MessageQueueDpm(Thresholds(many_ports=5)))


def ports(dpm: CompositeDpm) -> dict[tuple[str, str], int]:
    """The ports of each host and VPC, where there are any."""
    return {key: count for key, count in dpm.message_queue.observe()["ports"].items() if count}


def test_placing_moving_and_removing_a_pod_counts() -> None:
    dpm = whole_dpm()
    dpm.place(P1, "h1")
    dpm.place(P2, "h1")
    assert ports(dpm) == {("h1", "red"): 2}
    dpm.place(P1, "h2")
    assert ports(dpm) == {("h1", "red"): 1, ("h2", "red"): 1}
    assert dpm.message_queue.observe()["size"] == {"red": 2}
    dpm.remove(P1)
    assert ports(dpm) == {("h1", "red"): 1}


def test_a_decision_that_is_refused_counts_nothing() -> None:
    dpm = whole_dpm()
    dpm.place(P1, "h1")
    before = dpm.snapshot()
    with pytest.raises(IllegalInput, match="is at h1 already"):
        dpm.place(P1, "h1")
    with pytest.raises(IllegalInput, match="is nowhere"):
        dpm.remove(P2)
    assert dpm.snapshot() == before


def test_a_pod_of_a_vpc_whose_name_cannot_be_a_topics_is_placed_and_not_counted() -> None:
    dpm, odd = whole_dpm(), Pod("a b", "p1")
    dpm.place(odd, "h1")
    dpm.remove(odd)
    assert dpm.dpm.latest(odd) == 2
    assert dpm.message_queue.observe()["size"] == {}


@pytest.mark.parametrize("records_max", [0, 100])
def test_one_input_is_one_record_from_which_all_comes_back(records_max: int) -> None:
    dpm, store = whole_dpm(), MemoryStore(records_max)
    changes: list[Callable[[], Effects]] = [
        lambda: dpm.place(P1, "h1"),
        lambda: dpm.place(P1, "h2"),
        lambda: dpm.remove(P1),
    ]
    for change in changes:
        effects = change()
        assert {"issue", "channel"} <= set(effects.record or {})
        store.append(effects, dpm)
    store.append(dpm.dpm.receive(Report(P1, 1, Outcome.DONE)), dpm)
    again = whole_dpm()
    store.load(again)
    assert again.snapshot() == dpm.snapshot()


@pytest.mark.parametrize("records_max", [0, 100])
def test_a_store_from_before_there_were_channels_is_counted(records_max: int) -> None:
    old, store = Dpm(), MemoryStore(records_max)
    for pod, place in ((P1, "h1"), (P2, "h1"), (P3, "h2"), (P2, "h2")):
        store.append(old.place(pod, place), old)
    store.append(old.remove(P3), old)
    dpm = whole_dpm()
    store.load(dpm)
    assert ports(dpm) == {("h1", "red"): 1, ("h2", "red"): 1}


def test_an_agents_parts_begin_each_epoch_together() -> None:
    store = MemoryStore()
    for epoch in (1, 2, 3):
        agent = CompositeAca(Aca("h1"), MessageQueueAca("h1"))
        store.load(agent)
        effects: Effects = agent.start()
        store.append(effects, agent)
        assert [(send.topic, send.message) for send in effects.sends] == [
            ("requests-h1", Hello("h1", epoch)),
            ("notices-h1", Hello("h1", epoch)),
        ]
        assert agent.aca.epoch == agent.message_queue.epoch == epoch
