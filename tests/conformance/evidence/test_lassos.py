"""What happens eventually in the protocol itself: it does, and every variant that lets somebody wait in vain is seen to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import configurations
from conformance.evidence import lassos
from conformance.evidence.gathering import Evidence, current_lassos, notice_lassos
from conformance.evidence.lassos import Lasso, folder_of, hopes_of, path_of, read_lassos
from conformance.evidence.variants import breaking
from conformance.protocols import PROTOCOLS
from impl.cli.exits import Exit, Problem
from model.bad_input import BadInput
from model.explore.live import live
from model.explore.liveness import Liveness, never_asked
from model.language import Protocol, Variant
from model.proof.forgetting import may_forget
from model.reference import itf
from spec.on_demand.protocol import PROTOCOL

every_protocol = pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)


@pytest.fixture(scope="module")
def shipped() -> list[Lasso]:
    """All that are shipped for the first protocol."""
    return read_lassos(PROTOCOL)


def in_all_of(protocol: Protocol) -> list[Liveness]:
    """What is decided of a protocol in every configuration for it."""
    return [live(protocol, configurations.find(name, protocol)) for name in configurations.live_names(protocol)]


@pytest.fixture(scope="module")
def decided() -> list[Liveness]:
    """The first protocol in every configuration for it."""
    return in_all_of(PROTOCOL)


def variant(name: str) -> Variant:
    """A variant of the protocol."""
    return next(one for one in PROTOCOL.variants if one.name == name)


@every_protocol
def test_everything_promised_happens_and_is_asked_for(protocol: Protocol) -> None:
    found = in_all_of(protocol)
    assert {one.verdict for one in found} == {"holds"}
    assert never_asked(found, protocol.eventualities) == []


def test_answers_count_on_nobody_giving_up() -> None:
    world = configurations.find("answers", PROTOCOL)
    assert {"time_out", "report_failed", "deregister"} <= world.without
    assert world.eventually is not None
    (report,) = {eventuality.name for eventuality in PROTOCOL.eventualities} - world.eventually
    # It does count on one of them, which is why it is not decided there.
    found = live(PROTOCOL, replace(world, eventually=frozenset({report})))
    assert (report, found.verdict) == ("dpm_hears_of_every_version", "violated")


def test_time_outs_alone_would_hide_a_missing_answer() -> None:
    silent = PROTOCOL.with_variant(variant("keeps_silent_about_the_unknown"))
    assert live(silent, configurations.find("giving-up", PROTOCOL)).verdict == "holds"
    assert live(silent, configurations.find("answers", PROTOCOL)).verdict == "violated"


def test_forgetting_what_is_spent_decides_nothing() -> None:
    world = configurations.find("two-hosts", PROTOCOL)
    world = replace(world, only={"place": (("p1", "h1"),), "ask": (("h1", "r1", "p1", "p2"),), "evict": ()})
    found = {forget: live(PROTOCOL, world, forget_spent=forget) for forget in (True, False)}
    assert found[True].distinct < found[False].distinct
    verdicts = {
        forget: [(outcome.verdict, outcome.occurred) for outcome in result.outcomes] for forget, result in found.items()
    }
    assert verdicts[True] == verdicts[False]
    assert {verdict for verdict, _ in verdicts[True]} == {"holds"}


@pytest.mark.parametrize(
    ("protocol", "one"),
    [(protocol, one) for protocol in PROTOCOLS for one in protocol.variants if hopes_of(one)],
    ids=lambda one: one.name,
)
def test_every_variant_that_lets_somebody_wait_in_vain_is_seen_to(protocol: Protocol, one: Variant) -> None:
    found = {lasso.eventuality: lasso for lasso in lassos.lassos_of(one, protocol)}
    assert list(found) == hopes_of(one)
    for lasso in read_lassos(protocol):
        if lasso.variant is one:
            again = found[lasso.eventuality].trace
            assert (lasso.trace.states, lasso.trace.steps, lasso.trace.loop) == (again.states, again.steps, again.loop)
            assert lasso.still_breaks(protocol)


@every_protocol
def test_every_variant_breaks_a_promise_or_has_a_lasso(protocol: Protocol) -> None:
    found = read_lassos(protocol)
    waiting = {lasso.variant.name for lasso in found}
    assert {one.name for one in breaking(protocol)} | waiting == {one.name for one in protocol.variants}
    assert len(found) == len(list(folder_of(protocol).glob("*.itf.json")))


@every_protocol
def test_no_lasso_is_a_fair_run_of_the_protocol_itself(protocol: Protocol) -> None:
    for lasso in read_lassos(protocol):
        changed = replace(lasso.variant, action=lasso.variant.replaces)
        assert not replace(lasso, variant=changed).still_breaks(protocol), lasso.variant.name


def test_forgetting_is_proved_of_a_variant_before_it_is_relied_on() -> None:
    assert may_forget(PROTOCOL.with_variant(variant("waits_without_a_deadline")))
    assert not may_forget(PROTOCOL.with_variant(variant("counts_each_version_alone")))


# ------------------------------------------------------------------------------------------------------ evidence


def test_a_weakened_eventuality_is_red(shipped: Sequence[Lasso]) -> None:
    (lasso,) = (one for one in shipped if one.variant.name == "pauses_until_something_is_known")
    found = Evidence(PROTOCOL, ())
    notice_lassos(found, [lasso], PROTOCOL)
    assert (found.noticed, found.unnoticed) == (["pauses_until_something_is_known"], [])
    weaker = replace(lasso.eventuality, conclusion=lasso.eventuality.premise)
    notice_lassos(found, [replace(lasso, eventuality=weaker)], PROTOCOL)
    assert found.unnoticed == [f"pauses_until_something_is_known (it broke {weaker.name})"]
    assert found.exit is Exit.VIOLATED


def test_what_is_not_decided_everywhere_is_no_pass(decided: Sequence[Liveness]) -> None:
    (first, second), promised = decided, PROTOCOL.eventualities[0]
    found = Evidence(PROTOCOL, ("two-hosts",), ("answers", "giving-up"))
    assert found.lasting(promised) == "?"
    found.decisions.append(first)
    assert found.lasting(promised) == "?"
    assert found.unreached == []
    found.decisions.append(second)
    assert found.lasting(promised) == "holds"
    broken = replace(second, outcomes=tuple(replace(outcome, verdict="violated") for outcome in second.outcomes))
    found.decisions[1] = broken
    assert found.lasting(promised) == "violated"
    assert found.is_red
    never = replace(second, outcomes=tuple(replace(outcome, occurred=0) for outcome in second.outcomes))
    found.decisions[1] = never
    assert found.unreached == ["dpm_hears_of_every_version"]
    assert found.exit is Exit.VIOLATED


def test_lassos_of_an_earlier_statement_are_no_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(PROTOCOL)
    monkeypatch.setattr(lassos, "kept", lambda _, name: tmp_path / name)
    with pytest.raises(
        Problem,
        match=r"The lassos of on-demand are stale: .*\.itf\.json is missing\. Run `ondemand golden lassos on-demand`\.",
    ):
        current_lassos(Evidence(PROTOCOL, ()), PROTOCOL)
    (tmp_path / PROTOCOL.name).mkdir()
    for path in folder.glob("*.itf.json"):
        text = path.read_text(encoding="utf-8").replace('"place"', '"remove"')
        (tmp_path / PROTOCOL.name / path.name).write_text(text, encoding="utf-8")
    found = Evidence(PROTOCOL, ())
    assert current_lassos(found, PROTOCOL) == []
    assert found.stale.startswith("The lassos of on-demand are stale: they are runs of an earlier statement (")
    assert found.stale.endswith(" Run `ondemand golden lassos on-demand`.")


# --------------------------------------------------------------------------------------------------------- files


def test_a_lasso_is_read_as_it_was_written(shipped: Sequence[Lasso], tmp_path: Path) -> None:
    lasso = shipped[0]
    changed = PROTOCOL.with_variant(lasso.variant)
    file = tmp_path / "lasso.itf.json"
    itf.write(lasso.trace, file, changed)
    again = itf.read(file, PROTOCOL)
    assert again == lasso.trace
    assert again.configuration.without == lasso.trace.configuration.without
    assert again.configuration.only == lasso.trace.configuration.only


@pytest.mark.parametrize("loop", [-1, 1_000, True, "0", 0])
def test_a_loop_that_does_not_come_back_is_refused(loop: object, tmp_path: Path) -> None:
    path = path_of(variant("greets_an_agent_once"), hopes_of(variant("greets_an_agent_once"))[0], PROTOCOL)
    data = json.loads(path.read_text(encoding="utf-8"))
    data["loop"] = loop
    file = tmp_path / "changed.itf.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(BadInput, match="loop: expected the index of a state equal to the last one, found"):
        itf.read(file, PROTOCOL)
