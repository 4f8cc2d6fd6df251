"""How much evidence a check gathers: less of it would be as green."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance import configurations
from conformance.cli.check import faults_of
from conformance.evidence import gathering
from conformance.evidence.background_broker import BrokerInBackground
from conformance.evidence.gathering import Evidence, gather, simulated_in
from conformance.protocols import DRIVEN, PROTOCOLS, REPLAYED, named
from conformance.replay.targets import TARGETS
from impl.cli.exits import Exit
from model.language import Protocol
from model.reference.configuration import Configuration

FAILOVER = named("failover")


def silent(what: str, done: int, total: int | None, word: str) -> None:
    """Nobody waits for it."""


def test_random_runs_take_most_actions() -> None:
    """What no run does is not tried: half as many runs take 9 of 14 actions, and one run takes 1."""
    found = Evidence(FAILOVER, ())
    gathering._simulate(found, silent)
    assert found.simulation is not None
    assert len(found.simulation.actions) >= 12


def test_random_runs_go_beyond_what_is_explored() -> None:
    protocol = named("on-demand")
    simulated = configurations.find(simulated_in(protocol), protocol)
    explored = [configurations.find(name, protocol) for name in configurations.names(protocol)]
    assert all(simulated.bounds[name] > max(one.bounds[name] for one in explored) for name in simulated.bounds)


def test_the_implementation_runs_in_memory_and_on_a_broker() -> None:
    """In memory nothing is lost, and no client library is in use."""
    assert TARGETS == ("memory", "pulsar")


ENGINES = (
    "_prove",
    "notice",
    "notice_witnesses",
    "notice_lassos",
    "_decide",
    "_explore",
    "_simulate",
    "_replay",
    "_log",
)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_a_check_asks_every_engine(protocol: Protocol, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    for engine in ENGINES:

        def ask(*given: Any, engine: str = engine) -> None:
            asked.append((engine, *(each for each in given if isinstance(each, str))))

        monkeypatch.setattr(gathering, engine, ask)
    for reader in ("current_vectors", "current_lassos"):
        monkeypatch.setattr(gathering, reader, lambda found, stated: [])
    monkeypatch.setattr(gathering, "held", lambda stated: "the tables")
    monkeypatch.setattr(gathering, "promises_nothing", lambda stated: ["a sentence"])
    monkeypatch.setattr(gathering, "differences", lambda stated: [])
    explored, live = configurations.names(protocol), configurations.live_names(protocol)
    found = gather(
        protocol,
        protocol,
        configurations=explored,
        live_configurations=live,
        broker=BrokerInBackground(),
        told=silent,
    )
    assert {name for name, *more in asked if not more} == {*ENGINES} - {"_decide", "_explore", "_replay", "_log"}
    assert [name for engine, *more in asked if engine == "_explore" for name in more] == explored
    assert [name for engine, *more in asked if engine == "_decide" for name in more] == live
    for engine, of in (("_replay", REPLAYED), ("_log", DRIVEN)):
        targets = [name for each, *more in asked if each == engine for name in more]
        assert targets == (["memory", "pulsar"] if protocol.name in of else [])
    assert str(found.mutants) == "the tables"
    assert found.empty == ["a sentence"]


def test_every_configuration_is_explored_decided_or_for_scenarios() -> None:
    for protocol in PROTOCOLS:
        used = {*configurations.names(protocol), *configurations.live_names(protocol)}
        used |= {one.name for one in configurations.of_scenarios(protocol)}
        files = configurations.folder(protocol).rglob("*.toml")
        assert sorted(path.stem for path in files) == sorted(used)


@pytest.mark.parametrize("field", ["unnoticed", "unmet", "unshown", "empty", "unreviewed", "unreached", "unused"])
def test_whatever_is_wrong_is_violated_and_told(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = FAILOVER.variants[0].name
    found = Evidence(FAILOVER, ("two-instances",))
    if field in ("unreached", "unused"):
        monkeypatch.setattr(Evidence, field, property(lambda found: [variant]))
    else:
        getattr(found, field).append(variant)
    assert found.exit is Exit.VIOLATED
    assert [fault.failed for fault in faults_of(found, None) if fault.failed] == [[variant]]


def test_a_check_asks_of_each_configuration_what_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    found, find = Evidence(FAILOVER, ()), configurations.find

    def idle(name: str, protocol: Protocol) -> Configuration:
        """Nobody ever decides."""
        shows = ("propose", "what_is_decided_is_recorded")
        return replace(find(name, protocol), without=frozenset({"propose"}), shows=shows, pinned={})

    monkeypatch.setattr(configurations, "find", idle)
    gathering._explore(found, "two-instances", silent)
    (exploration,) = found.explorations
    assert "does not show propose" in exploration.violated
    gathering._decide(found, "a-successor", silent)
    (sentence,) = found.unshown
    assert "does not show what_is_decided_is_recorded" in sentence
