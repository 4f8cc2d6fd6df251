"""The command line as its users meet it: what is printed where, what a script can rely on, and what wrong input gets."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from xml.etree import ElementTree

import click
import pytest
from rich.console import Console

from conformance import configurations
from conformance.cli.check import faults_of, print_conclusion, print_evidence
from conformance.cli.main import COMMANDS, main, program
from conformance.evidence import background_broker, gathering
from conformance.evidence.background_broker import BrokerInBackground
from conformance.evidence.gathering import Evidence, gather
from conformance.evidence.variants import negative_of
from conformance.protocols import PROTOCOLS, REPLAYED
from conformance.replay.replays import read_vectors, replay_all, trace_files, vectors_of
from conformance.replay.targets import open_target
from impl.broker.deployment import Deployment
from impl.cli.exits import Exit, worst
from impl.errors import EnvironmentProblem
from model.explore.explore import Exploration, explore
from model.proof.prove import Claim, Proof
from model.reference import itf
from spec.on_demand.protocol import PROTOCOL

NEGATIVE = negative_of(PROTOCOL)
MOVES = vectors_of(PROTOCOL) / "a-remote-pod-moves.scenario"
WAY = NEGATIVE / "grants-the-unknown.scenario"


@dataclass(frozen=True)
class Ended:
    """What became of a command."""

    code: int
    out: str
    err: str


class Command(Protocol):
    """Runs the program with these arguments."""

    def __call__(self, *arguments: object, stdin: str = "") -> Ended:
        """`stdin`: what comes through the pipe."""
        ...


@pytest.fixture
def ondemand(monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "GITHUB_WORKSPACE"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object, stdin: str = "") -> Ended:
        monkeypatch.setattr(sys, "argv", ["ondemand", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, out.getvalue(), err.getvalue())

    return run


def sentence(ended: Ended) -> str:
    """The only line that was said, of a command that got bad input."""
    assert (ended.code, ended.out) == (2, "")
    (line,) = ended.err.splitlines()
    return line


def rows_of(out: str) -> list[str]:
    """The lines of tables; a sentence is as long as it is."""
    return [line for line in out.splitlines() if "  " in line.strip()]


def xml(file: Path) -> ElementTree.Element:
    """What an XML file of ours holds."""
    return ElementTree.fromstring(file.read_text(encoding="utf-8"))  # noqa: S314 - written by ourselves


# ---------------------------------------------------------------------------------------------------------- usage


def helps() -> Iterator[tuple[str, ...]]:
    """Every command, and every command of a group."""
    for name in COMMANDS:
        yield (name,)
        command = program.get_command(click.Context(program), name)
        if isinstance(command, click.Group):
            yield from ((name, below) for below in command.list_commands(click.Context(command)))


@pytest.mark.parametrize("names", list(helps()), ids=" ".join)
def test_every_command_explains_itself_with_examples(names: tuple[str, ...], ondemand: Command) -> None:
    ended = ondemand(*names, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert re.search(r"^  Examples?:$", ended.out, re.MULTILINE)
    assert re.search(rf"ondemand (--spec spec )?{' '.join(names)}\b", ended.out)


def test_the_program_lists_its_commands(ondemand: Command) -> None:
    ended = ondemand("--help")
    assert ended.code == 0
    assert all(f"  {name} " in ended.out for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("chek",), "ondemand: unknown command 'chek' (did you mean check?)"),
        (("explore", "--confg", "x"), "No such option '--confg'"),
        (("explore", "--states-max", "many"), "'many' is not a valid integer"),
        (("explore", "--states-max", "0"), "0 is not in the range"),
        (("explore", "more"), "Got unexpected extra argument (more)"),
        (("explore", "--config", "two-host"), "unknown configuration 'two-host' (did you mean two-hosts?)"),
        (("explore", "--config", ""), "unknown configuration ''"),
        (("explore", "--config", "none.toml"), "none.toml: cannot be read (No such file or directory)"),
        (("bounded", "--steps", "-1"), "-1 is not in the range"),
        (("bounded", "--seconds-max", "0"), "0.0 is not in the range"),
        (("bounded", "--sizes", "Hots=2"), "sizes: 'Hots' is neither a sort nor a number; expected among Host, Pod"),
        (("bounded", "--sizes", "Host"), "--sizes: expected each sort or number once, with its size"),
        (("bounded", "--sizes", "Host=2,Host=3"), "in Host=3,Version=2; found 'Host=3'"),
        (("bounded", "--sizes", "Host=" + "9" * 5000), "--sizes: expected each sort or number once, with its size"),
        (("bounded", "--sizes", "Host=65"), "sizes: Host: expected 1 to 64 members, found 65"),
        (("bounded", "--sizes", "Host=60,Pod=60"), "configuration sizes: at has 10,800 possible arguments"),
        (
            ("bounded", "--sizes", "Host=2", "--config", "two-hosts"),
            "--config and --sizes: each of them gives a configuration; leave one of them out",
        ),
        (("simulate", "--runs", "0"), "0 is not in the range"),
        (("prove", "--variant", "pushes_to_al"), "unknown variant 'pushes_to_al' (did you mean pushes_to_all?)"),
        (("check", "--variant", "x"), "unknown variant 'x'; choose one of answers_another_host"),
        (("prove", "--json", "none/prove.json"), "the folder none does not exist; create it, or name another file"),
        (("prove", "--json", "."), ". is a folder; name a file in it"),
        (("prove", "--junit", "none/prove.xml"), "the folder none does not exist"),
        (("explore", "--save", "none/way"), "the folder none does not exist"),
        (("show",), "TRACE is missing; name a trace file, or print the protocol with --tla"),
        (("show", "none"), "none: cannot be read"),
        (("show", "."), ".: is a folder; name one trace file in it"),
        (("show", WAY, "--svg", "none/way.svg"), "the folder none does not exist"),
        (("replay", "none"), "none: cannot be read"),
        (("replay", "--target", "moon"), "'moon' is not one of 'memory', 'pulsar'"),
        (("step", "--mermaid", "route"), "unknown lifecycle 'route' (did you mean route_state?)"),
        (("run", "nmc"), "unknown command 'nmc' (did you mean ncm?); choose one of aca, dpm, ncm"),
        (
            ("run", "ncm", "--journal", "--state", "x.sqlite"),
            "--state names a file, but --journal keeps the state at the broker; leave one of them out",
        ),
        (("run", "dpm", "--take-over"), "--take-over needs --journal"),
        (("run", "dpm", "--many-ports", "4"), "many ports: 4 leaves no room between large and small"),
        (("run", "dpm", "--many-ports", "0"), "many ports: 0 leaves no room between large and small"),
        (("run", "dpm", "--many-in-a-group", "-1"), "many in a group: -1 leaves no room between large and small"),
        (("run", "dpm", "--many-ports", "some"), "'some' is not a valid integer"),
        (("run", "dpm", "--patience", "0"), "patience: 0 is no number of askings; choose 1 to 100"),
        (("run", "dpm", "--answer-wait", "0"), "0.0 is not in the range"),
    ],
)
def test_wrong_usage_is_one_sentence(
    arguments: Sequence[object], said: str, ondemand: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in sentence(ondemand(*arguments))


def test_half_a_broker_setting_is_told_before_the_work_begins(
    ondemand: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSAR_URL", "pulsar://127.0.0.1:1")
    monkeypatch.delenv("PULSAR_ADMIN_URL", raising=False)
    monkeypatch.setattr("conformance.cli.check.gather", None)
    assert "PULSAR_URL is set and PULSAR_ADMIN_URL is not" in sentence(ondemand("check"))


# ----------------------------------------------------------------------------------------------------- bad input


TWO_HOSTS = configurations.path_of("two-hosts", PROTOCOL).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "sorts: expected exactly Host, Pod, Vpc, Request, found none"),
        (b"\xff\xfe\x00binary", "is not TOML"),
        (TWO_HOSTS.replace("Version = 1", "Version ="), "is not TOML: Invalid value (at line"),
        (TWO_HOSTS.replace("Version = 1", "Version = 1000000"), "bounds.Version: expected an integer from 1 to 255"),
        (TWO_HOSTS.replace("Version = 1", "Version = 'x'"), "bounds.Version: expected an integer from 1 to 255"),
        (TWO_HOSTS.replace('[["h1"], ["h2"]]', '[["h9"]]'), "constants.correct: expected a host among h1, h2"),
        ("color = 1\n" + TWO_HOSTS, "unknown field 'color'"),
        ('without = ["fly"]\n' + TWO_HOSTS, "without: expected a list of names among"),
        (TWO_HOSTS + "[only]\nplace = ['p1']\n", "only.place: expected a list of 2 choices joined by commas"),
    ],
)
def test_a_malformed_configuration_is_named_with_file_and_field(
    text: str | bytes, said: str, ondemand: Command, tmp_path: Path
) -> None:
    file = tmp_path / "world.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in ("explore", "bounded", "simulate", "step"):
        assert re.search(
            rf"{re.escape(str(file))}(, line \d+)?: {re.escape(said)}", sentence(ondemand(command, "--config", file))
        )


def trace_with(change: Callable[[dict[str, Any]], object], into: Path) -> Path:
    """A vector with something changed in it."""
    (vector,) = read_vectors([MOVES], PROTOCOL)
    data = json.loads(itf.dumps(vector.trace, PROTOCOL))
    change(data)
    file = into / "changed.itf.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: data["#meta"].pop("configuration"), "#meta.configuration: expected an object, found nothing"),
        (lambda data: data["#meta"].update(diverges_at=1000), "#meta.diverges_at: expected a step of the trace"),
        (lambda data: data.update(states=[]), "states: expected at least one state, found none"),
        (lambda data: data["states"][1].update(told=None), "step 1: told: expected a set"),
        (lambda data: data["states"][1].pop("mbt::actionTaken"), "step 1: mbt::actionTaken: expected an action"),
        (lambda data: data["states"].insert(1, data["states"][1]), "step 2: place("),
    ],
)
def test_a_malformed_trace_is_named_with_file_step_and_field(
    change: Callable[[dict[str, Any]], object], said: str, ondemand: Command, tmp_path: Path
) -> None:
    file = trace_with(change, tmp_path)
    for command in ("show", "replay"):
        assert f"{file}: {said}" in sentence(ondemand(command, file))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1: is not JSON"),
        (b"\x80\x81", "is not a trace in JSON"),
        (b"[1]", "expected an object with #meta, vars and states"),
        (b"[" * 100_000, "is not a trace in JSON"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(content: bytes, said: str, ondemand: Command, tmp_path: Path) -> None:
    file = tmp_path / "x.itf.json"
    file.write_bytes(content)
    assert f"{file}: {said}" in sentence(ondemand("replay", file))


def test_a_trace_without_a_step_is_no_pass(ondemand: Command, tmp_path: Path) -> None:
    file = trace_with(lambda data: data.update(states=data["states"][:1]), tmp_path)
    assert "states: expected a step after the start" in sentence(ondemand("replay", file))
    assert ondemand("show", file).code == 0


def test_a_folder_without_traces_is_no_pass(ondemand: Command, tmp_path: Path) -> None:
    assert "no traces (*.scenario or *.itf.json) there" in sentence(ondemand("replay", tmp_path))


def test_a_description_cannot_steer_the_terminal(ondemand: Command, tmp_path: Path) -> None:
    file = trace_with(lambda data: data["#meta"].update(description="[bold]a[/no] \x1b[31m<b>&"), tmp_path)
    picture = tmp_path / "x.svg"
    ended = ondemand("show", file, "--svg", picture)
    assert ended.code == 0
    assert "\x1b" not in ended.out
    xml(picture)


# ------------------------------------------------------------------------------------------------------- engines


def test_prove_writes_what_scripts_rely_on(ondemand: Command, tmp_path: Path) -> None:
    ended = ondemand("prove", "--json", "-", "--junit", tmp_path / "prove.xml")
    assert ended.code == 0
    result = json.loads(ended.out)
    assert set(result) == {"verdict", "claims", "seconds"}
    assert all(set(claim) == {"name", "kind", "verdict", "seconds"} for claim in result["claims"])
    assert {claim["verdict"] for claim in result["claims"]} == {"holds"}
    assert "Proved without bounds" in ended.err
    suite = xml(tmp_path / "prove.xml")
    assert (suite.get("failures"), suite.get("tests")) == ("0", str(len(result["claims"])))


def test_prove_shows_a_state_and_a_step_that_break_a_promise(
    ondemand: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    ended = ondemand("prove", "--variant", "pushes_to_all", "--junit", tmp_path / "prove.xml")
    assert ended.code == 1
    assert "not proved: learns_only_on_demand by store" in ended.out
    assert "A host is sent a pod, or knows it, only if it asked for it in this epoch" in ended.out
    assert "and a step that breaks this one: store(" in ended.out
    assert re.search(
        r"^::error file=spec/on_demand/promises.py,line=\d+,title=learns_only_on_demand::not preserved by store\(",
        ended.err,
        re.M,
    )
    suite = xml(tmp_path / "prove.xml")
    assert int(suite.get("failures", "0")) > 0


EXPLORED = {
    "config",
    "distinct",
    "transitions",
    "depth",
    "complete",
    "verdict",
    "violated",
    "seconds",
    "compile_seconds",
    "words",
    "cut",
    "forgets",
}


LIVE = {
    "config",
    "distinct",
    "transitions",
    "depth",
    "complete",
    "verdict",
    "seconds",
    "compile_seconds",
    "eventualities",
    "cut",
    "forgets",
}


BOUNDED = {"config", "cut", "verdict", "because", "depth", "violated", "reached", "seconds", "facts", "instances"}


def test_explore_writes_what_scripts_rely_on(ondemand: Command, tmp_path: Path) -> None:
    file = tmp_path / "explore.json"
    ended = ondemand("explore", "--config", "two-hosts", "--json", file)
    assert (ended.code, ended.err) == (0, "")
    result = json.loads(file.read_text(encoding="utf-8"))
    assert set(result) == EXPLORED
    pinned = configurations.find("two-hosts", PROTOCOL).pinned
    assert {name: result[name] for name in pinned} == pinned
    # Every figure is readable in 80 columns.
    assert f"{result['transitions']:,}" in ended.out
    assert all(len(line.rstrip()) <= 80 for line in rows_of(ended.out))


def test_explore_shows_a_shortest_way_and_saves_it(
    ondemand: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    way, junit = tmp_path / "way.itf.json", tmp_path / "explore.xml"
    two = ("--config", "two-hosts", "--config", "strangers")
    ended = ondemand("explore", "--variant", "pushes_to_all", *two, "--save", way, "--json", "-", "--junit", junit)
    assert ended.code == 1
    # A list, since two were asked for, although the first one ended it.
    (result,) = json.loads(ended.out)
    assert (result["verdict"], result["violated"], result["complete"]) == ("violated", "sends_to_the_told_only", False)
    assert "A shortest counterexample, 4 steps" in ended.err
    assert ",title=sends_to_the_told_only::broken in two-hosts after 4 steps" in ended.err
    (case,) = xml(junit)
    assert case.find("failure") is not None
    (vector,) = read_vectors([way], PROTOCOL)
    assert "sends_to_the_told_only" in vector.trace.description
    assert "A counterexample to sends_to_the_told_only" in ondemand("show", way).out


def test_a_bound_is_undecided_and_never_a_pass(ondemand: Command) -> None:
    ended = ondemand("explore", "--config", "two-hosts", "--states-max", "50", "--json", "-")
    assert ended.code == 3
    assert json.loads(ended.out)["verdict"] == "undecided"
    assert "two-hosts: undecided, stopped after" in ended.err


def test_live_tells_what_happens_eventually(ondemand: Command, tmp_path: Path) -> None:
    file = tmp_path / "live.json"
    ended = ondemand("live", "--protocol", "on-demand", "--json", file)
    assert (ended.code, ended.err) == (0, "")
    results = json.loads(file.read_text(encoding="utf-8"))
    assert [each_result["config"] for each_result in results] == configurations.live_names(PROTOCOL)
    assert set(results[0]) == LIVE
    assert {item["verdict"] for result in results for item in result["eventualities"]} == {"holds"}
    rows = {line.split()[0]: line.split()[1:] for line in ended.out.splitlines() if line.strip()}
    assert rows["agents_are_met"] == ["✓", "✓"]
    assert rows["dpm_hears_of_every_version"] == ["✓"]
    assert all(len(line.rstrip()) <= 80 for line in rows_of(ended.out))


def test_live_shows_a_run_that_breaks_it_and_saves_it(
    ondemand: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    way, junit = tmp_path / "way.itf.json", tmp_path / "live.xml"
    given = ("--config", "answers", "--variant", "greets_an_agent_once", "--save", way, "--json", "-", "--junit", junit)
    ended = ondemand("live", *given)
    assert ended.code == 1
    result = json.loads(ended.out)
    (broken,) = (item for item in result["eventualities"] if item["verdict"] == "violated")
    assert (broken["name"], broken["values"]) == ("agents_are_met", {"host": "h1", "epoch": 2})
    assert (broken["steps"], broken["loop"]) == (3, 3)
    assert "leads to" in ended.err
    assert "Broken for host = h1, epoch = 2." in ended.err
    assert "Then nothing more happens." in ended.err
    assert ",title=agents_are_met::broken in answers: NCM eventually meets every epoch" in ended.err
    assert sum(case.find("failure") is not None for case in xml(junit)) == 1
    shown = ondemand("show", way)
    assert shown.code == 0
    assert "A counterexample to agents_are_met" in shown.out
    assert "Then nothing more happens." in shown.out


def test_live_says_what_a_configuration_leaves_out(ondemand: Command) -> None:
    ended = ondemand("live", "--config", "late-messages")
    assert ended.code == 1
    assert "late-messages leaves out fair actions (resend, remind, resume)" in ended.out
    assert "Also broken: pauses_end." in ended.out


def test_a_bound_on_live_is_undecided(ondemand: Command, tmp_path: Path) -> None:
    junit = tmp_path / "live.xml"
    ended = ondemand("live", "--config", "answers", "--states-max", "50", "--json", "-", "--junit", junit)
    assert ended.code == 3
    assert json.loads(ended.out)["verdict"] == "undecided"
    assert "answers: undecided, stopped after" in ended.err
    assert all(case.find("failure") is not None for case in xml(junit))


def test_what_is_never_asked_for_is_no_pass(ondemand: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configurations, "live_names", lambda protocol: ["answers"])
    ended = ondemand("live", "--protocol", "on-demand")
    assert ended.code == 3
    assert "Premise never true in any of these configurations: dpm_hears_of_every_version." in ended.out


def test_a_configuration_that_asks_for_nothing_is_no_pass(ondemand: Command, tmp_path: Path) -> None:
    file = tmp_path / "nothing.toml"
    actions = json.dumps([action.name for action in PROTOCOL.actions])
    file.write_text(
        f"""
without = {actions}
sorts = {{ Host = ["h1"], Pod = ["p1"], Vpc = ["red"], Request = ["r1"] }}
bounds = {{ Version = 1, Epoch = 1 }}
constants = {{ correct = [["h1"]], vpc_of = {{ p1 = "red" }} }}
""",
        encoding="utf-8",
    )
    ended = ondemand("live", "--config", file)
    assert ended.code == 3
    assert "Premise never true in any of these configurations: held_packets_go_or_are_dropped" in ended.out


def test_what_was_stopped_is_not_said_to_ask_for_nothing(ondemand: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configurations, "live_names", lambda protocol: ["answers"])
    ended = ondemand("live", "--protocol", "on-demand", "--states-max", "50")
    assert ended.code == 3
    assert "answers: undecided, stopped after" in ended.out
    assert "Premise never true" not in ended.out


def test_bounded_shows_a_shortest_way_and_saves_it(
    ondemand: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    way, junit = tmp_path / "way.itf.json", tmp_path / "bounded.xml"
    sizes = ("--sizes", "Version=1,Epoch=1,Request=1,Vpc=1")
    ended = ondemand("bounded", "--variant", "pushes_to_all", *sizes, "--save", way, "--json", "-", "--junit", junit)
    assert ended.code == 1
    result = json.loads(ended.out)
    assert set(result) == BOUNDED
    broken = result["violated"]  # both are broken as soon as a host is told what it never asked for
    assert broken in {"learns_only_on_demand", "stays_in_its_vpc"}
    assert (result["verdict"], result["depth"]) == ("violated", 4)
    assert "A shortest counterexample, 4 steps" in ended.err
    assert f",title={broken}::broken in sizes after 4 steps" in ended.err
    (case,) = xml(junit)
    assert case.find("failure") is not None
    (vector,) = read_vectors([way], PROTOCOL)
    assert broken in vector.trace.description
    assert f"A counterexample to {broken}" in ondemand("show", way).out


def test_no_violation_within_a_bound_is_undecided_and_never_a_pass(ondemand: Command, tmp_path: Path) -> None:
    junit = tmp_path / "bounded.xml"
    two = ("--config", "two-hosts", "--config", "strangers")
    ended = ondemand("bounded", *two, "--steps", "3", "--json", "-", "--junit", junit)
    assert ended.code == 3
    results = json.loads(ended.out)
    assert [(result["verdict"], result["because"], result["depth"]) for result in results] == [
        ("undecided", "bound", 3)
    ] * 2
    assert "Undecided: no run of at most 3 steps in two-hosts breaks a promise" in " ".join(ended.err.split())
    assert all(case.find("failure") is not None for case in xml(junit))
    late = ondemand("bounded", "--seconds-max", "0.001")
    assert late.code == 3
    assert "not even the initial state of sizes was checked; the time limit ended the search" in " ".join(
        late.out.split()
    )


def test_simulate_repeats_what_it_found(ondemand: Command, tmp_path: Path) -> None:
    first = ondemand("simulate", "--runs", "2", "--steps", "8", "--json", "-")
    again = ondemand("simulate", "--runs", "2", "--steps", "8", "--json", "-", "--junit", tmp_path / "simulate.xml")
    one, other = json.loads(first.out), json.loads(again.out)
    assert set(one) == {"config", "runs", "idle", "steps", "seed", "verdict", "violated", "actions", "cut", "seconds"}
    assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert (first.code, one["verdict"]) == (0, "holds")
    xml(tmp_path / "simulate.xml")


def test_simulate_ends_with_the_command_to_run_it_again(ondemand: Command, tmp_path: Path) -> None:
    way = tmp_path / "way.itf.json"
    ended = ondemand("simulate", "--variant", "reuses_a_version", "--runs", "20", "--steps", "20", "--save", way)
    assert ended.code == 1
    assert "versions_are_immutable is broken" in ended.out
    again = "ondemand simulate --config two-hosts --runs 20 --steps 20 --seed 0 --variant reuses_a_version"
    assert f"To run it again: {again}" in ended.out
    assert ondemand("show", way).code == 0


def test_replay_writes_what_scripts_rely_on(ondemand: Command, tmp_path: Path) -> None:
    junit = tmp_path / "replay.xml"
    ended = ondemand("replay", WAY, MOVES, "--json", "-", "--junit", junit)
    assert ended.code == 0
    result = json.loads(ended.out)
    assert {"target", "traces", "steps", "seconds", "verdict", "divergence"} <= set(result)
    assert (result["target"], result["traces"], result["verdict"], result["divergence"]) == (
        "memory",
        2,
        "conforms",
        None,
    )
    assert xml(junit).get("failures") == "0"


def test_replay_shows_where_an_implementation_leaves_the_specification(
    ondemand: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    junit = tmp_path / "replay.xml"
    trace = NEGATIVE / "leaks-to-another-tenant.scenario"
    ended = ondemand("replay", trace, "--faulty", "leaks_to_another_tenant", "--json", "-", "--junit", junit)
    assert ended.code == 1
    divergence = json.loads(ended.out)["divergence"]
    assert set(divergence) == {"trace", "step", "action", "field", "expected", "observed", "because"}
    assert divergence["trace"] == "leaks-to-another-tenant"
    assert "The run up to this step:" in ended.err
    assert re.search(
        r"^::error file=spec/on_demand/ncm.py,line=\d+,title=replay on memory::leaks-to-another-tenant, step",
        ended.err,
        re.M,
    )
    assert xml(junit).get("failures") == "1"


# ---------------------------------------------------------------------------------------------------------- step


def test_steps_are_taken_from_a_pipe(ondemand: Command, tmp_path: Path) -> None:
    file = tmp_path / "stepped.itf.json"
    ended = ondemand(
        "step", stdin=f"# a comment\n\nplace p1 h1\nstore(pod=p1, version=1)\nu\nl\ns\n1\nw {file}\nq\nx\n"
    )
    assert ended.code == 0
    assert "recorded(p1): 0 ⇒ 1" in ended.out
    assert "undone: store(pod=p1, version=1)" in ended.out
    assert "NCM\n" in ended.out
    (vector,) = read_vectors([file], PROTOCOL)
    assert [step.action for step in vector.trace.steps] == ["place", "place"]


def test_the_end_of_input_ends_stepping(ondemand: Command) -> None:
    assert ondemand("step", stdin="").code == 0
    assert ondemand("step", stdin="restart h1").code == 0


def test_step_names_the_steps_that_would_leave_the_bounds(ondemand: Command) -> None:
    ended = ondemand("step", "--config", "two-hosts", stdin="restart h1\nl\nrestart h1\n")
    assert ended.code == 2
    assert "\n     restart(host=h1) would leave the bounds: Epoch > 1\n" in ended.out
    said = "standard input, line 3: restart(host=h1) is not enabled: it would leave the bounds: Epoch > 1"
    assert said in ended.err


def test_a_broken_promise_is_told_at_its_step(ondemand: Command) -> None:
    ended = ondemand("step", "--variant", "reuses_a_version", stdin="place p1 h1\nplace p1 h2\n")
    assert ended.code == 1
    assert "broken: versions_are_immutable." in ended.out


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("place p1 h1\n[/bold]\n", "line 2: unknown action '[/bold]'"),
        ("pace p1 h1\n", "line 1: unknown action 'pace' (did you mean place?)"),
        ("place p1\n", "line 1: place: expected 2 arguments, found 1; write place pod host"),
        ("place p1 h9\n", "line 1: host: expected one of h1, h2, found 'h9'"),
        (
            "learn h1 1 p1 1\n",
            "line 1: learn(host=h1, epoch=1, pod=p1, version=1) is not enabled: route(",
        ),
        ("0\n", "line 1: there is no step 0"),
        ("99\n", "line 1: there is no step 99"),
        ("u\n", "line 1: there is no step to undo"),
        ("w\n", "line 1: w needs the name of a file; write w run.scenario"),
    ],
)
def test_a_line_that_cannot_be_followed_is_named(lines: str, said: str, ondemand: Command) -> None:
    ended = ondemand("step", stdin=lines)
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith("standard input, ")
    assert said in line


def test_a_lifecycle_is_drawn(ondemand: Command) -> None:
    ended = ondemand("step", "--mermaid", "route_state")
    assert ended.out.startswith("stateDiagram-v2\n")


# --------------------------------------------------------------------------------------------------------- check


@pytest.mark.parametrize(
    ("codes", "first"),
    [
        ([], Exit.HOLDS),
        ([0, 3], Exit.UNDECIDED),
        ([3, 1, 0], Exit.VIOLATED),
        ([3, 1, 4], Exit.ENVIRONMENT),
        ([1, 4, 2, 3, 0], Exit.BAD_INPUT),
    ],
)
def test_of_several_exit_codes_one_wins(codes: list[int], first: Exit) -> None:
    assert worst(map(Exit, codes)) is first


@contextmanager
def no_broker(**_: object) -> Iterator[Deployment]:
    """In the place of the broker: there is none."""
    raise EnvironmentProblem("there is no broker here")
    yield


def test_check_shows_the_promise_the_way_and_the_diagram(
    ondemand: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_broker, "open_deployment", no_broker)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    junit = tmp_path / "check.xml"
    page = tmp_path / "page.md"
    given = ("--variant", "reuses_a_version", "--json", "-", "--junit", junit, "--summary", page)
    ended = ondemand("check", *given)
    assert ended.code == 1
    whole = json.loads(ended.out)
    assert (set(whole), whole["verdict"]) == ({"protocols", "verdict", "seconds"}, "violated")
    (result,) = whole["protocols"].values()
    assert set(result) == {
        "prove",
        "explore",
        "live",
        "simulate",
        "replay",
        "not_replayed",
        "validate",
        "missing",
        "stale",
        "unreached",
        "unused",
        "unnoticed",
        "unmet",
        "unreviewed",
        "unshown",
        "empty",
        "mutants",
        "verdict",
    }
    assert (result["verdict"], result["live"], result["simulate"], result["replay"]) == ("violated", [], None, [])
    assert [set(item) for item in result["explore"]] == [EXPLORED]
    told = ended.err
    # The counterexample comes first, and nothing is said of tables and vectors of the statement that is broken.
    assert told.startswith("╭─ versions_are_immutable is broken ─")
    assert told.index("The content of a version never changes once DPM") < told.index(
        "A shortest counterexample, 2 steps:"
    )
    assert told.index("A shortest counterexample, 2 steps:") < told.index("ACA h1") < told.index("and their evidence")
    assert not re.search("(is|are) stale|[Mm]utants|Not explored|make matrix", told)
    command = "ondemand explore --config late-messages --variant reuses_a_version"
    conclusion = f"versions_are_immutable is broken in late-messages. To reproduce: {command}"
    assert f"\n{conclusion}\n" in told
    (last,) = (line for line in told.splitlines() if "FAILED" in line)
    assert re.fullmatch(r"FAILED: 1 broken promise, 1 unproved claim \(\d+ s\)", last)
    assert [line for line in told.splitlines() if not line.startswith("::")][-1] == last
    assert re.search(r"^::error file=spec/on_demand/promises.py,line=\d+,title=versions_are_immutable::", told, re.M)
    suite = xml(junit)
    red = {case.get("name") for case in suite if case.find("failure") is not None}
    where = {case.get("name"): case.get("file") for case in suite}
    assert where["versions_are_immutable"] == "spec/on_demand/promises.py"
    summary = page.read_text(encoding="utf-8")
    assert summary.index("A shortest counterexample, 2 steps:") < summary.index(
        "| versions\\_are\\_immutable | ✗ | ✗ |"
    )
    assert {"versions_are_immutable", "all evidence for on-demand with reuses_a_version"} <= red
    assert all(len(line.rstrip()) <= 80 for line in told.split(conclusion)[0].splitlines() if not line.startswith("::"))


def test_a_missing_broker_leaves_the_check_without_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_broker, "open_deployment", no_broker)
    monkeypatch.setattr(gathering, "SIMULATED_RUNS", 1)
    with BrokerInBackground() as broker:
        found = gather(PROTOCOL, PROTOCOL, configurations=["two-hosts"], broker=broker, told=lambda *_: None)
    without = "there is no broker here"
    assert found.missing == [f"replay on pulsar: {without}", f"logs on pulsar: {without}"]
    assert found.exit is Exit.ENVIRONMENT
    assert len(found.noticed) == len(PROTOCOL.variants)
    assert not found.stale
    assert found.row(PROTOCOL.promises[0]) == ("holds", "holds", "holds", "?")
    # One small configuration does not reach everything, and that is said, too.
    assert found.unreached
    assert found.unused


@pytest.fixture(scope="module")
def cut_short() -> Exploration:
    """An exploration that was stopped."""
    return explore(PROTOCOL, configurations.find("two-hosts", PROTOCOL), states_max=10)


def proof(**verdicts: str) -> Proof:
    """Claims with these verdicts, by name; all others hold."""
    claims: list[Any] = [
        Claim(promise.name, "lemma" if promise.lemma else "always", verdicts.get(promise.name, "holds"))  # type: ignore[arg-type]
        for promise in PROTOCOL.promises
    ]
    return Proof(claims)


def printed(found: Evidence) -> str:
    """What is said about it."""
    text = io.StringIO()
    console = Console(file=text, width=80)
    faults = list(faults_of(found, None))
    print_evidence(found, faults, console)
    print_conclusion([faults], found.exit, 1.0, console)
    return text.getvalue()


def test_nothing_run_is_no_pass() -> None:
    found = Evidence(PROTOCOL, ("two-hosts",))
    assert found.exit is Exit.UNDECIDED
    assert {mark for promise in PROTOCOL.promises for mark in found.row(promise)} == {"?"}
    said = printed(found)
    assert all(
        item in said
        for item in ("Undecided.", "Not explored to the end: two-hosts.", "Nothing was proved.", "simulated.")
    )


def test_a_promise_of_what_cannot_occur_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_prove", lambda found, told: found.unmet.append("The rest is not asked."))
    silent = [replace(action, emits=()) for action in PROTOCOL.actions]
    for action, stated in zip(silent, PROTOCOL.actions, strict=True):
        object.__setattr__(action, "name", stated.name)
    changed = replace(PROTOCOL, actions=tuple(silent))
    monkeypatch.setattr(gathering, "current_vectors", lambda found, stated: [])
    with BrokerInBackground() as broker:
        found = gather(changed, changed, configurations=[], broker=broker, told=lambda *_: None)
    said, *_ = (sentence for sentence in found.empty if "which no action emits" in sentence)
    assert said in printed(found).replace("\n", " ")
    assert Evidence(PROTOCOL, (), empty=[said]).exit is Exit.VIOLATED


def test_no_promise_is_proved_while_a_lemma_is_not() -> None:
    found = Evidence(PROTOCOL, (), proof=proof(the_home_is_recorded="violated"))
    assert found.exit is Exit.VIOLATED
    assert {found.row(promise)[0] for promise in PROTOCOL.promises if not promise.lemma} == {"?"}
    assert "Not proved: the_home_is_recorded" in printed(found)
    assert "perhaps the proof lacks a lemma" in printed(found)


def test_not_every_configuration_explored_is_no_pass(cut_short: Exploration) -> None:
    whole = replace(cut_short, verdict="holds", complete=True)
    found = Evidence(PROTOCOL, ("two-hosts", "strangers"), proof=proof(), explorations=[whole])
    assert found.row(PROTOCOL.promises[0])[1] == "?"
    assert found.exit is Exit.UNDECIDED
    assert not found.unreached


def test_counts_that_are_not_the_pinned_ones_are_red_and_end_nothing(cut_short: Exploration) -> None:
    other = replace(cut_short, verdict="violated", complete=True, violated="pinned depth 3, found 4")
    found = Evidence(PROTOCOL, ("two-hosts",), proof=proof(), explorations=[other])
    assert found.exit is Exit.VIOLATED
    assert not found.is_red
    pins = "conformance/data/configurations/on-demand/two-hosts.toml"
    remedy = f"if the change is intended, pin the new counts in {pins} with `ondemand golden counts on-demand`."
    assert remedy in printed(found)


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The vectors of the protocol, to be changed."""
    folder = tmp_path / "scenarios"
    shutil.copytree(vectors_of(PROTOCOL), folder)
    monkeypatch.setattr(gathering, "vectors_of", lambda protocol: folder)
    return folder


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("folder", "part", "called"),
    [("found", "vectors", "vectors"), ("negative", "variants", "counterexamples of variants")],
)
def test_generated_vectors_of_an_earlier_statement_are_no_pass_and_no_end(
    folder: str, part: str, called: str, copied: Path
) -> None:
    file = min((copied / folder).glob("*.scenario"))
    edit(file, "\nplace ", "\nstore p1 1\nplace ")
    found = Evidence(PROTOCOL, ("two-hosts",))
    assert gathering.current_vectors(found, PROTOCOL) == []
    assert found.stale.startswith(
        f"The {called} of on-demand are stale: they are runs of an earlier statement ({file}: line "
    )
    assert found.stale.endswith(f" Run `ondemand golden {part} on-demand`.")
    assert (found.unmet, found.exit) == ([], Exit.UNDECIDED)
    assert found.as_json()["stale"] == found.stale


def test_an_action_that_no_vector_takes_makes_them_stale(copied: Path) -> None:
    for file in copied.rglob("*.scenario"):
        if "\nevict " in file.read_text(encoding="utf-8") and file.parent.name != "negative":
            file.unlink()
    found = Evidence(PROTOCOL, ("two-hosts",))
    assert gathering.current_vectors(found, PROTOCOL)
    assert found.stale == (
        "The vectors of on-demand are stale: none of them takes evict. Run `ondemand golden vectors on-demand`."
    )
    assert found.exit is Exit.UNDECIDED


def test_a_variant_without_its_counterexample_is_no_pass(copied: Path) -> None:
    (copied / "negative" / "grants-the-unknown.scenario").unlink()
    found = Evidence(PROTOCOL, ("two-hosts",))
    assert gathering.current_vectors(found, PROTOCOL)
    assert re.fullmatch(
        r"The counterexamples of variants of on-demand are stale: of \d+ there is no grants-the-unknown\.scenario\. "
        r"Run `ondemand golden variants on-demand`\.",
        found.stale,
    )
    assert found.exit is Exit.UNDECIDED


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("known h1 p2 = 2", "known h1 p2 = 1", "line 29: step 20: expected known h1 p2 = 1, found known h1 p2 = 2"),
        ("\ngreet h1 1", "\nstore p1 2\ngreet h1 1", "line 10: store(pod=p1, version=2) is not enabled: config("),
    ],
    ids=["expectation", "step"],
)
def test_a_scenario_written_by_hand_that_fails_is_red(old: str, new: str, said: str, copied: Path) -> None:
    file = copied / MOVES.name
    edit(file, old, new)
    found = Evidence(PROTOCOL, ())
    assert gathering.current_vectors(found, PROTOCOL)
    (sentence_of_it,) = found.unmet
    assert sentence_of_it.startswith(f"{file}: {said}")
    assert (found.exit, found.is_red) == (Exit.VIOLATED, True)
    assert "A scenario fails: " in printed(found)


def test_a_weakened_promise_is_red(monkeypatch: pytest.MonkeyPatch) -> None:
    (vector,) = read_vectors([WAY], PROTOCOL)
    found = Evidence(PROTOCOL, ())
    gathering.notice(found, [vector], PROTOCOL)
    assert (found.noticed, found.unnoticed) == (["grants_the_unknown"], [])
    # The same way, cut off before the step that breaks the promise: as if the promise did not mind that step.
    cut = replace(vector.trace, states=vector.trace.states[:-1], steps=vector.trace.steps[:-1])
    gathering.notice(found, [replace(vector, trace=cut)], PROTOCOL)
    assert found.unnoticed == ["grants_the_unknown (it broke grants_only_what_is_placed)"]
    assert found.exit is Exit.VIOLATED
    assert "A promise was weakened: nothing notices grants_the_unknown" in printed(found)


@pytest.mark.parametrize("module", ["conformance.cli.main", "impl.cli.main"])
def test_a_module_that_is_run_runs_the_program(module: str) -> None:
    ended = subprocess.run([sys.executable, "-m", module, "fly"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == Exit.BAD_INPUT
    assert "unknown command 'fly'" in ended.stderr


def test_only_traces_that_an_implementation_follows_are_replayed(ondemand: Command) -> None:
    ended = ondemand("replay", "--json", "-")
    assert ended.code == 0
    followed = [
        path for protocol in PROTOCOLS if protocol.name in REPLAYED for path in trace_files(vectors_of(protocol))
    ]
    assert json.loads(ended.out)["traces"] == len(followed)
    other = trace_files(vectors_of(configurations.meant(None, "small-networks", None)))[0]
    ended = ondemand("replay", other)
    assert ended.code == 2
    assert "a trace of small-networks, which is not replayed in this way" in ended.err


def test_an_action_that_no_scenario_of_slots_takes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slots = configurations.meant(None, "slots", None)
    for file in trace_files(vectors_of(slots)):
        if "\nlook_ahead " not in file.read_text(encoding="utf-8"):
            shutil.copy(file, tmp_path)
    monkeypatch.setattr(gathering, "vectors_of", lambda protocol: tmp_path)
    found = Evidence(slots, ())
    assert gathering.current_vectors(found, slots)
    assert found.unmet == ["The vectors of slots: none of them takes look_ahead; write a scenario that does"]
    assert found.exit is Exit.VIOLATED


def test_check_says_why_a_protocol_or_a_vector_is_not_replayed() -> None:
    small, failover = configurations.meant(None, "small-networks", None), configurations.meant(None, "failover", None)
    found = Evidence(small, ())
    assert "not replayed: it has no implementation of its own" in printed(found)
    assert str(found.as_json()["not_replayed"]).startswith("it has no implementation of its own")
    assert {mark for promise in small.promises for mark in found.row(promise)[3]} == {"-"}
    found = Evidence(failover, ())
    assert found.as_json()["not_replayed"] is None
    with open_target("memory") as target:
        found.replays["memory"] = replay_all(read_vectors([vectors_of(failover)], failover), target)
    assert found.replays["memory"].verdict == "conforms"
    assert (
        "several-decide-at-once was not driven to its end on memory: step 3: the implementation never does load("
        in " ".join(printed(found).split())
    )


def test_replay_shows_what_each_agent_received(ondemand: Command) -> None:
    group = vectors_of(configurations.meant(None, "message-queue", None)) / "a-group-alone-makes-a-vpc-large.scenario"
    ended = ondemand("replay", group, "--received", "--json", "-")
    assert ended.code == 0
    (received,) = json.loads(ended.out)["received"].values()
    came = ["push(h1, 1, red, 1)", "subscribe(h1, 1, red, 1)", "published(red, 2)", "push(h1, 1, red, 2)"]
    assert received == {"h1": came}
    assert "h1: push(h1, 1, red, 1), subscribe(h1, 1, red, 1)" in " ".join(ended.err.split())
