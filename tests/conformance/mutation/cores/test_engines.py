"""What is asked of mutants: a change planted by hand is found, and the cores as they are survive."""

from __future__ import annotations

import pytest

from conformance.mutation.cores.engines import ENGINES, compared, comparisons
from conformance.mutation.cores.loading import cores_with, source
from conformance.mutation.table import Kill
from conformance.replay.cores import Cores
from model.language import Protocol
from spec.message_queue.protocol import PROTOCOL as QUEUE
from spec.on_demand.protocol import PROTOCOL


def planted(protocol: Protocol, module: str, was: str, now: str) -> Cores:
    """The cores with a change of a module's text."""
    text = source(module).text
    assert text.count(was) == 1
    return cores_with(protocol.name, module, compile(text.replace(was, now), module, "exec"))


@pytest.mark.parametrize("engine", list(ENGINES))
@pytest.mark.parametrize("protocol", [PROTOCOL, QUEUE], ids=lambda item: item.name)
def test_the_cores_as_they_are_survive(protocol: Protocol, engine: str) -> None:
    assert ENGINES[engine][1](protocol, Cores(), None) == "survives"


@pytest.mark.parametrize(
    ("module", "was", "now", "noticed"),
    [
        ("impl.on_demand.ncm", "message.source.vpc == message.destination.vpc", "True", ("told", "granted", "refused")),
        (
            "impl.on_demand.ncm",
            "for entry in self._pending if entry[2] != host}",
            "for entry in self._pending}",
            ("pending",),
        ),
        ("impl.on_demand.aca", "epoch == self._epoch", "True", ("known",)),
    ],
    ids=["another tenant's pod", "waits for who left", "another epoch's messages"],
)
def test_a_change_planted_by_hand_is_found(module: str, was: str, now: str, noticed: tuple[str, ...]) -> None:
    answer = ENGINES["vectors"][1](PROTOCOL, planted(PROTOCOL, module, was, now), None)
    assert isinstance(answer, Kill)
    assert answer.check.name in noticed
    assert answer.where
    assert answer.depth


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("told", "told"),
        ("known(h1, p2)", "known"),
        ("known(h1, p2).place", "known.place"),
        ("received by h1", "received"),
        ("ncm: due", "listed: due"),
        ("dpm: due: ask", "listed: due: ask"),
        ("h1: evict(p2)", "refusal: evict"),
        ("ncm: stranger (Hello by h2)", "refusal: stranger"),
    ],
)
def test_a_field_is_compared_under_one_name_for_all(field: str, name: str) -> None:
    assert compared(field) == name


def test_a_comparison_is_known_before_it_notices_anything() -> None:
    """Else the foot of a table could not say which checks kill nothing."""
    names = {comparison.name for comparison in comparisons(PROTOCOL)}
    assert {"told", "granted", "refusal: evict", "refusal: packet"} <= names
    assert "asked" not in names, "nobody holds it, so nothing is compared with it"
    assert {"barred", "refusal: give_up"} <= {comparison.name for comparison in comparisons(QUEUE)}
    assert "belonged" not in {comparison.name for comparison in comparisons(QUEUE)}
