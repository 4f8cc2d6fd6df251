"""A check that fails offers commands; each of them fails again, for the same reason."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from conformance.cli.check import faults_of
from conformance.evidence import background_broker, gathering
from conformance.evidence.gathering import Evidence
from conformance.mutation.faulty import cores_of
from conformance.protocols import variant_of
from conformance.replay import replays
from conformance.replay.lockstep import Replay
from conformance.replay.lockstep import replay as replay_one
from impl.cli.exits import Exit
from tests.conformance.cli.test_commands import Command, Ended, no_broker, ondemand
from tests.conformance.cli.test_specification import ondemand as ondemand_in
from tests.conformance.cli.test_specification import own

__all__ = ["ondemand", "own"]


def offered(ended: Ended) -> list[list[str]]:
    """The command lines that a failed check offers, without the name of the program."""
    found = [shlex.split(line) for line in re.findall(r"To reproduce: (ondemand .+)$", ended.out, re.MULTILINE)]
    assert found, ended.out
    return [words for _, *words in found]


CHANGED = "2 differences from what was reviewed"
"""Of a specification with one rule changed: the action, and the variant that is stated as a difference from it."""


def failed(ended: Ended, first: str, last: str) -> None:
    """The check shows `first` at the top, and `last` at the bottom."""
    assert (ended.code, ended.err) == (Exit.VIOLATED, "")
    lines = [line for line in ended.out.splitlines() if line.strip()]
    assert lines[0].startswith(first)
    assert re.fullmatch(rf"FAILED: {last} \(\d+ s\)", lines[-1])


def test_the_commands_for_a_broken_promise_and_an_unproved_claim_fail_again(
    ondemand: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_broker, "open_deployment", no_broker)
    ended = ondemand("check", "--variant", "pushes_to_all")
    failed(ended, "╭─ sends_to_the_told_only is broken ─", "1 broken promise, 1 unproved claim")
    explore, prove = offered(ended)
    assert (explore[0], prove[0]) == ("explore", "prove")
    again = ondemand(*explore)
    assert again.code == Exit.VIOLATED
    assert "sends_to_the_told_only is broken" in again.out
    again = ondemand(*prove)
    assert again.code == Exit.VIOLATED
    assert "not proved: learns_only_on_demand by store" in again.out


def test_the_command_for_a_broken_eventuality_fails_again(ondemand: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_broker, "open_deployment", no_broker)
    monkeypatch.setattr(gathering, "_prove", lambda found, told: None)
    monkeypatch.setattr(gathering, "TARGETS", ())
    monkeypatch.setattr(Evidence, "replayed", property(lambda found: False))
    ended = ondemand("check", "--variant", "greets_an_agent_once")
    failed(ended, "╭─ agents_are_met is broken ─", "1 broken eventuality")
    (live,) = offered(ended)
    assert live[0] == "live"
    again = ondemand(*live)
    assert again.code == Exit.VIOLATED
    assert "agents_are_met is broken" in again.out


def test_the_command_for_a_promise_that_a_random_run_breaks_fails_again(ondemand: Command) -> None:
    stated, variant = variant_of("sends_before_it_records")
    found = Evidence(stated.with_variant(variant), ())
    gathering._simulate(found, lambda what, done, total, word: None)
    assert found.simulation is not None
    (fault, *_) = faults_of(found, variant.name)
    assert fault.failed == [found.simulation.violated]
    (finding,) = fault.findings
    assert fault.sentence.endswith(f"To reproduce: {finding.again}")
    again = ondemand(*shlex.split(finding.again)[1:])
    assert again.code == Exit.VIOLATED
    assert f"{found.simulation.violated} is broken" in again.out


def test_the_command_for_a_divergence_fails_again(ondemand: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(*arguments: object, **named: object) -> Replay:
        trace, name, protocol, target, _, *rest = arguments
        return replay_one(trace, name, protocol, target, cores_of("learns_the_older"), *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(background_broker, "open_deployment", no_broker)
    monkeypatch.setattr(gathering, "_prove", lambda found, told: None)
    monkeypatch.setattr(replays, "replay", faulty)
    ended = ondemand("check", "--protocol", "on_demand")
    failed(ended, "Replayed on memory", "1 diverging vector")
    (command,) = offered(ended)
    assert command == ["replay", "--protocol", "on-demand", "--target", "memory"]
    again = ondemand(*command)
    assert again.code == Exit.VIOLATED
    (first,) = re.findall(r"diverges from the specification in (\S+) at step (\d+): ", ended.out)
    assert f"{first[0]}, step {first[1]}: diverges from the specification" in again.out


def test_a_step_that_needs_a_spent_message_is_not_forgotten(own: Path) -> None:
    """An agent learns from a route to its former epoch. That route is spent, so a search that forgets would never see it taken."""
    file = own / "spec" / "on_demand" / "aca.py"
    text = file.read_text(encoding="utf-8")
    rule = "when=[correct(host), epoch == _epoch_of(host), known(host, pod) < version],"
    assert text.count(rule) == 1
    file.write_text(text.replace(rule, "when=[correct(host), known(host, pod) < version],"), encoding="utf-8")
    again = ondemand_in(own, "--spec", "spec", "explore", "--config", "late-messages", "--json", "-")
    assert again.code == Exit.VIOLATED
    found = json.loads(again.out)
    assert (found["violated"], found["forgets"]) == ("applied_means_confirmed", False)


def test_the_commands_for_a_broken_rule_in_an_own_specification_fail_again(own: Path) -> None:
    """The broker takes entries of a deposed instance. Where spent messages are forgotten this cannot be seen: they may not be."""
    file, rule = (
        own / "spec" / "failover" / "actions.py",
        "when=[term == fence(journal), ~entry(journal, version, decision)],",
    )
    text = file.read_text(encoding="utf-8")
    assert text.count(rule) == 1
    file.write_text(text.replace(rule, "when=[~entry(journal, version, decision)],"), encoding="utf-8")
    ended = ondemand_in(own, "--spec", "spec", "check", "--protocol", "failover")
    failed(ended, "╭─ a_deposed_instance_changes_nothing is broken ─", f"1 broken promise, 1 unproved claim, {CHANGED}")
    explore, prove = offered(ended)
    assert explore == ["--spec", "spec", "explore", "--config", "three-terms"]
    again = ondemand_in(own, *explore)
    assert again.code == Exit.VIOLATED
    assert "a_deposed_instance_changes_nothing is broken" in again.out
    again = ondemand_in(own, *prove)
    assert again.code == Exit.VIOLATED
    assert "not proved: versions_have_one_allocator by" in again.out
