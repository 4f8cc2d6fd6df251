"""The cost of changes: laws hold at the counted sizes, a variant follows another law, docs/benchmarks.md has the figures."""

from __future__ import annotations

import json

import pytest

from conformance.bench import message_counts
from conformance.bench.message_counts import DESIGNS, NETWORKS, SIZES, Law, Size, law_of
from conformance.bench.message_sizes import SAMPLES
from conformance.bench.scale_figures import DATA, DOCUMENT, PICTURE, drawn, markdown, read
from conformance.bench.scale_measurements import AGENTS, REPEATED, measure
from conformance.report.markdown import part_of
from impl.broker.deployment import Deployment
from impl.wire.codec import decode, encode


@pytest.mark.parametrize("design", DESIGNS)
def test_every_count_is_as_the_law_says(design: str) -> None:
    found = message_counts.counted(DESIGNS[design])
    assert len(found.costs) == len(SIZES)
    for size, cost in found.costs.items():
        assert {kind: law(size) for kind, law in found.sent.items()} == {k: cost.sent.get(k, 0) for k in found.sent}
        assert found.received(size) == cost.received


def test_on_demand_costs_the_same_however_large_the_network() -> None:
    for design in ("on demand", "a route learned"):
        found = message_counts.counted(DESIGNS[design])
        assert {len(law.factors) for law in found.sent.values()} == {1}
        assert {term for law in found.sent.values() for term in law.factors} == {"1"}


def test_pushing_to_all_follows_another_law() -> None:
    """The variant in which every host is sent every pod: the constant cost grows with the number of hosts."""
    assert message_counts.counted(DESIGNS["push to all"]).sent["route"] == Law({"h": 1})
    assert message_counts.counted(DESIGNS["on demand"]).sent["route"] == Law({"1": 1})


def test_the_corrected_queue_publishes_once_where_the_built_one_publishes_for_each_host() -> None:
    assert message_counts.counted(DESIGNS["queue as built"]).sent["logged"] == Law({"h": 1})
    assert message_counts.counted(DESIGNS["queue as corrected"]).sent["backlog"] == Law({"1": 1})
    for design in ("queue as corrected", "queue as built"):
        assert message_counts.counted(DESIGNS[design]).received == Law({"h": 1})


def test_counts_that_follow_no_law_are_given_none() -> None:
    counts = {size: size.hosts * size.pods + 2 for size in SIZES}
    assert law_of(counts) == Law({"1": 2, "h·p": 1})
    assert law_of({**counts, SIZES[-1]: 1_000}) is None
    assert law_of({size: size.hosts**3 for size in SIZES}) is None


def test_a_law_that_holds_nowhere_else_is_not_extended() -> None:
    def crooked(size: Size) -> message_counts.Cost:
        return message_counts.Cost({"route": size.hosts**3}, 0)

    with pytest.raises(ValueError, match=r"route: .* follow no law"):
        message_counts.counted(message_counts.Design("on-demand", crooked))


def test_a_network_that_is_pushed_to_all_costs_each_host_every_pod() -> None:
    assert message_counts.counted(NETWORKS["push to all"]).sent["route"] == Law({"p·h²": 1})
    assert message_counts.counted(NETWORKS["on demand"]).sent["route"] == Law({"h·p": 1})


def test_every_kind_that_is_counted_has_a_message_on_the_wire() -> None:
    for design in DESIGNS:
        found = message_counts.counted(DESIGNS[design], SIZES[:6])
        assert set(found.sent) <= SAMPLES[DESIGNS[design].protocol].keys()
    for kinds in SAMPLES.values():
        for message in kinds.values():
            assert decode(encode(message)) == message


def test_the_laws_in_the_data_are_the_counted_ones() -> None:
    kept = read()["counted"]
    for design in DESIGNS:
        found = message_counts.counted(DESIGNS[design])
        assert kept[design]["laws"] == {kind: str(law) for kind, law in found.sent.items()}
        for hosts, messages, size in zip(
            kept[design]["hosts"], kept[design]["messages"], kept[design]["bytes"], strict=True
        ):
            assert (messages, size) == (found.messages(Size(hosts, 10)), found.bytes(Size(hosts, 10)))


def test_what_was_measured_is_what_the_laws_say() -> None:
    """On a real broker with up to a thousand agents, message counts equal those of the runs of the statement."""
    data = read()
    assert {item["agents"] for item in data["measured"]} >= {10, 100}
    for item in data["measured"]:
        for design, change in item["changes"].items():
            law = message_counts.counted(DESIGNS[design], SIZES[:6])
            if design == "push to all":
                continue  # the measurement is a revision to all hosts, without config and report
            assert sum(change["messages"].values()) == law.messages(Size(item["agents"], item["pods"])), (
                item["agents"],
                design,
            )


def test_the_document_has_the_table_and_the_picture_of_the_data() -> None:
    data = json.loads(DATA.read_text(encoding="utf-8"))
    assert part_of(DOCUMENT, "scale") == markdown(data)
    assert PICTURE.read_text(encoding="utf-8") == drawn(data)


def test_a_network_on_the_broker_costs_what_was_counted(deployment: Deployment) -> None:
    agents = 10
    found = measure(deployment, agents, lambda done, what: None)
    size = Size(agents, found.pods)
    for design in ("on demand", "a route learned", "queue as corrected"):
        change, law = found.changes[design], message_counts.counted(DESIGNS[design], SIZES[:6])
        assert sum(change.messages.values()) == law.all()(size)
        assert change.received == law.received(size)
    assert found.changes["queue as corrected"].messages == {"Published": 1, "Confirmed": agents}
    assert found.changes["push to all"].messages == {"Push": agents, "Confirmed": agents}


def test_no_fewer_agents_are_measured_than_there_are_changes() -> None:
    assert min(AGENTS) > REPEATED, "each learns a route to the next one, once"
