"""The cost of event logs is measured against the same work without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.bench import headline
from conformance.bench.log_cost import WAYS, measure_cost
from conformance.logs.fleet import cost_in_memory
from impl.broker.deployment import Deployment
from impl.cli.exits import Problem


def test_first_packets_are_measured_for_each_way_to_keep_logs(deployment: Deployment) -> None:
    seen: set[str] = set()
    cost = measure_cost(deployment, lambda done, text: seen.add(text), pairs=5, steps=200)
    assert tuple(cost.first_packets) == WAYS
    assert {len(first_packet.packets) for first_packet in cost.first_packets.values()} == {5}
    assert seen == {*WAYS, "a fleet"}
    assert cost.recorded.lines > 1_000
    assert len(cost.rows()) == len(WAYS) + 1
    assert cost.as_json()["lines"] == cost.recorded.lines


def test_the_same_history_is_made_without_logs(tmp_path: Path) -> None:
    made, without = cost_in_memory(tmp_path, 100, agents=10)
    assert without > 0
    assert made.lines == sum(len(path.read_bytes().splitlines()) for path in made.files) > 300


def test_figures_replace_those_of_their_part_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = tmp_path / "benchmarks.md"
    document.write_text(
        "a\n<!-- record -->\nold\n<!-- /record -->\nb\n<!-- bench -->\n<!-- /bench -->\n", encoding="utf-8"
    )
    monkeypatch.setattr(headline, "DOCUMENT", document)
    headline.put_part("record", "new\n")
    assert document.read_text(encoding="utf-8") == (
        "a\n<!-- record -->\nnew\n<!-- /record -->\nb\n<!-- bench -->\n<!-- /bench -->\n"
    )
    with pytest.raises(Problem, match="expected one part between <!-- other --> and <!-- /other -->"):
        headline.put_part("other", "new\n")
