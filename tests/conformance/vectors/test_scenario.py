"""Scenarios: what they say is what happens, and what is wrong with one is told with file and line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conformance import configurations
from conformance.protocols import PROTOCOLS, named
from conformance.replay.replays import read_vector, read_vectors, trace_files, vectors_of
from conformance.vectors import expectations, scenario
from conformance.vectors.scenario import HEADER, LEAVES, written
from impl.cli.exits import Exit
from model.language.terms import Formula
from model.reference import itf
from model.reference.interpreter import Interpreter
from model.reference.state import initial_state, tuples
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.cli.test_commands import Command, ondemand, sentence

__all__ = ["ondemand"]

EVERY = [file for protocol in PROTOCOLS for file in trace_files(vectors_of(protocol))]

HEAD = "claim a b\nprotocol on-demand\nconfiguration one-network\n\n"
RUN = f"""{HEAD}place p1 h1
store p1 1
restart h1
greet h1 1
learn h1 1 p1 1
  expect known h1 p1 = 1  # a function
  expect told h1 p1
  expect not told h2 p1
  expect route h1 1 p1 1   # a message
  expect change_state p1 1 = pending
  expect route_state h1 p1 = evicted
  expect not reaches a_confirmation_counts
"""
LEAVING = """claim a b
protocol on-demand
variant reuses_a_version
configuration one-network

place p1 h1
place p1 h2
  expect leaves on-demand
  expect breaks versions_are_immutable
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str | bytes], Path]:
    """Writes a scenario."""

    def to_file(text: str | bytes) -> Path:
        file = tmp_path / "x.scenario"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return to_file


# -------------------------------------------------------------------------------------------------------- reading


def test_states_are_computed(write: Callable[[str | bytes], Path]) -> None:
    vector = read_vector(write(RUN), *PROTOCOLS)
    assert (vector.name, vector.base, vector.diverges_at, vector.unmet) == ("x", PROTOCOL, None, ())
    trace = vector.trace
    assert (trace.description, trace.configuration.name) == ("a b", "one-network")
    assert [step.action for step in trace.steps] == ["place", "store", "restart", "greet", "learn"]
    assert trace.states[0] == initial_state(PROTOCOL, trace.configuration)
    interpreter = Interpreter(PROTOCOL, trace.configuration)
    for before, step, after in zip(trace.states, trace.steps, trace.states[1:], strict=False):
        assert interpreter.apply(before, step)[0] == after


def test_lines_may_end_as_on_other_systems(write: Callable[[str | bytes], Path]) -> None:
    file = write(LEAVING.replace("\n", "\r\n"))
    assert read_vector(file, PROTOCOL).diverges_at == 2


def test_no_action_is_left_out_in_a_scenario() -> None:
    guided = configurations.find("strangers", PROTOCOL)
    assert guided.only
    file = next(file for file in EVERY if "configuration  strangers\n" in file.read_text(encoding="utf-8"))
    assert read_vector(file, PROTOCOL).trace.configuration == guided.whole()
    assert not guided.whole().only


def test_a_configuration_may_be_a_file_beside_the_scenario(write: Callable[[str | bytes], Path]) -> None:
    file = write(RUN.replace("one-network", "mine.toml"))
    mine = (
        configurations.path_of("one-network", PROTOCOL)
        .read_text(encoding="utf-8")
        .replace("Version = 4", "Version = 9")
    )
    (file.parent / "mine.toml").write_text(mine, encoding="utf-8")
    assert read_vector(file, PROTOCOL).trace.configuration.bounds["Version"] == 9


def test_reserved_words_are_free() -> None:
    for protocol in PROTOCOLS:
        assert not {action.name for action in protocol.actions} & {*HEADER, scenario.EXPECT}
        names = {each.name for each in (*protocol.symbols, *protocol.lifecycles)}
        assert not names & {*expectations.RESERVED, LEAVES}


def test_names_of_configurations_are_unique() -> None:
    for protocol in PROTOCOLS:
        files = [*configurations.folder(protocol).rglob("*.toml")]
        assert len({file.stem for file in files}) == len(files)


# -------------------------------------------------------------------------------------------------------- shipped


def test_every_scenario_meets_what_it_expects_and_generated_ones_expect_something() -> None:
    for protocol in PROTOCOLS:
        for vector in read_vectors([vectors_of(protocol)], protocol):
            assert vector.trace.description
    for file in EVERY:
        generated = file.parent.name in ("found", "negative")
        assert not generated or "  expect " in file.read_text(encoding="utf-8"), file


def test_a_negative_scenario_says_where_it_leaves_and_what_it_breaks() -> None:
    for protocol in PROTOCOLS:
        for file in (vectors_of(protocol) / "negative").glob("*.scenario"):
            text = file.read_text(encoding="utf-8")
            assert text.count(f"  expect leaves {protocol.name}\n") == 1, file
            assert "  expect breaks " in text.rsplit("\n\n", 1)[1].split("\n", 1)[1], file
            assert f"variant        {file.stem.split('.')[0].replace('-', '_')}\n" in text, file


@pytest.mark.slow
def test_scenarios_and_itf_files_say_the_same(ondemand: Command, tmp_path: Path) -> None:
    ended = ondemand("vectors", "--out", tmp_path)
    assert (ended.code, ended.out) == (0, f"Wrote {len(EVERY)} vectors to {tmp_path}.\n".replace(",", ""))
    for protocol in PROTOCOLS:
        shipped = {vector.name: vector for vector in read_vectors([vectors_of(protocol)], protocol)}
        again = read_vectors([tmp_path / protocol.name], protocol)
        assert len(again) == len(shipped)
        for vector in again:
            first = shipped[vector.name]
            assert (vector.trace, vector.diverges_at, vector.protocol.name) == (
                first.trace,
                first.diverges_at,
                first.protocol.name,
            )


@pytest.mark.slow
def test_what_is_written_as_a_scenario_is_read_again(tmp_path: Path) -> None:
    for file in EVERY:
        vector = read_vector(file, *PROTOCOLS)
        again = tmp_path / file.name
        again.write_text(written(again, vector.trace, vector.protocol), encoding="utf-8")
        copy = read_vector(again, *PROTOCOLS)
        assert (copy.trace, copy.diverges_at) == (vector.trace, vector.diverges_at)


def test_vectors_of_one_protocol(ondemand: Command, tmp_path: Path) -> None:
    count = len(trace_files(vectors_of(named("failover"))))
    ended = ondemand("vectors", "--out", tmp_path, "--protocol", "failover")
    assert ended.out == f"Wrote {count} vectors to {tmp_path}.\n"
    assert [folder.name for folder in tmp_path.iterdir()] == ["failover"]
    data = json.loads((tmp_path / "failover" / "negative" / "allocates-twice.itf.json").read_text(encoding="utf-8"))
    assert (data["#meta"]["diverges_at"], len(data["states"])) == (4, 7)
    (tmp_path / "file").touch()
    assert "cannot be created" in sentence(ondemand("vectors", "--out", tmp_path / "file" / "folder"))


# ------------------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        # header
        ("claim a b\n", "", "line 4: expected a line 'claim ...' before the first step, found none"),
        ("claim a b", "claim", "line 1: expected text behind 'claim'"),
        ("protocol on-demand\n", "", "line 4: expected a line 'protocol ...' before the first step, found none"),
        ("on-demand", "on-demnd", "line 2: unknown protocol 'on-demnd' (did you mean on-demand?)"),
        ("configuration one-network\n", "", "line 4: expected a line 'configuration ...'"),
        ("one-network", "one-netwrk", "line 3: unknown configuration 'one-netwrk' (did you mean one-network?)"),
        ("one-network", "none.toml", "line 3: {folder}/none.toml: cannot be read"),
        ("claim a b", "claim a b\nclaim c", "line 2: a second 'claim'; expected one"),
        ("store p1 1", "claim c\nstore p1 1", "line 6: expected 'claim' before the first step"),
        ("configuration", "variant pushes_to_al\nconfiguration", "line 3: unknown variant 'pushes_to_al' (did you mean pu"),
        # steps
        ("place p1 h1", "plac p1 h1", "line 5: unknown action 'plac' (did you mean place?); choose one of place, "),
        ("place p1 h1", "place p1", "line 5: place: expected 2 arguments, found 1; write place pod host"),
        ("place p1 h1", "place p1 h1 h2", "line 5: place: expected 2 arguments, found 3; write place pod host"),
        ("place p1 h1", "place p1 h9", "line 5: host: expected one of h1, h2, found 'h9'"),
        ("store p1 1", "store p1 9", "line 6: version: expected one of 0, 1, 2, 3, 4, found '9'"),
        ("store p1 1", "store p1 2", "line 6: store(pod=p1, version=2) is not enabled: config(pod, version) is false"),
        (RUN[len(HEAD) :], "", "line 5: expected a step, such as 'ACTION ARGUMENT ...', found none"),
        (RUN[len(HEAD) :], "evict h1 p1\n" * 10_001, "line 10005: has more steps than the limit of 10,000 for a scenario"),
        # expectations
        ("place p1 h1", "  expect told h1 p1\nplace p1 h1", "line 5: expected a step before what is expected of it"),
        ("expect told h1 p1", "expect", "line 11: expected a relation, FUNCTION = VALUE, LIFECYCLE = STATE, event, "),
        ("expect told h1 p1", "expect tld h1 p1", "line 11: unknown relation, function or lifecycle 'tld' (did you mean told?)"),
        ("expect told h1 p1", "expect told h1", "line 11: told: expected 2 arguments, found 1; write told host pod"),
        ("expect told h1 p1", "expect told h1 p1 = 1", "line 11: told: is a relation, expected no '='"),
        ("expect told h1 p1", "expect event told h1 p1", "line 11: unknown event 'told'; choose one of delivered, "),
        ("expect told h1 p1", "expect event", "line 11: unknown event ''; choose one of delivered, "),
        ("expect told h1 p1", "expect breaks newer_win", "line 11: unknown promise 'newer_win' (did you mean newer_wins?)"),
        ("expect told h1 p1", "expect reaches a b", "line 11: unknown 'sometimes' 'a b'; choose one of "),
        ("expect told h1 p1", "expect reaches a = b", "line 11: reaches: expected no '='"),
        ("known h1 p1 = 1", "known h1 p1", "line 10: known: expected a value; write known h1 p1 = VERSION"),
        ("known h1 p1 = 1", "known h1 p1 = x", "line 10: known: expected one of 0, 1, 2, 3, 4, found 'x'"),
        ("= evicted", "= evictd", "line 15: route_state: expected one of "),
        ("expect told h1 p1", "expect leaves slots", "line 11: expected 'leaves on-demand', found 'leaves slots'"),
        # text
        ("store p1", "store\tp1", "line 6: contains a tab; write spaces"),
        ("store p1", "store p1\x1b[31m", "line 6: contains the character U+001B; write plain text"),
        ("a b", "x" * 1_000, "line 1: is longer than the limit of 1,000 bytes"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_file_and_line(
    old: str, new: str, said: str, ondemand: Command, write: Callable[[str | bytes], Path]
) -> None:
    assert old in RUN
    file = write(RUN.replace(old, new, 1))
    for command in ("replay", "show", "step", "shrink"):
        assert f"{file}: {said.format(folder=file.parent)}" in sentence(ondemand(command, file))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (LEAVING.encode("utf-16"), "line 1: begins with a byte order mark; save the file as UTF-8 without one"),
        (LEAVING.encode("utf-16-le"), "line 1: contains the character U+0000; write plain text"),
        (LEAVING.encode("utf-8-sig"), "line 1: begins with a byte order mark; save the file as UTF-8 without one"),
        (LEAVING.replace("place p1 h2", "place p1 é").encode("latin-1"), "line 7: is not UTF-8; save the file as UTF-8"),
        (b"", "line 1: expected a step, such as 'ACTION ARGUMENT ...', found none"),
        (b"x" * 5_000_000, "line 1: is longer than the limit of 1,000 bytes"),
        (b"\n" * 5_000_000, "is larger than the limit of 4,000,000 bytes for a scenario"),
    ],
    ids=["utf-16", "utf-16-le", "bom", "latin-1", "empty", "endless line", "large"],
)  # fmt: skip
def test_another_encoding_and_size_is_named(
    raw: bytes, said: str, ondemand: Command, write: Callable[[str | bytes], Path]
) -> None:
    assert f"{write(raw)}: {said}" in sentence(ondemand("replay", write(raw)))


def test_files_that_do_not_exist_are_named(ondemand: Command, tmp_path: Path) -> None:
    file = tmp_path / "none.scenario"
    assert f"{file}: cannot be read (No such file or directory)" in sentence(ondemand("replay", file))
    assert f"{tmp_path}: no traces (*.scenario or *.itf.json) there" in sentence(ondemand("replay", tmp_path))
    endless = tmp_path / "endless.scenario"
    endless.symlink_to("/dev/zero")
    assert f"{endless}: line 1: is longer than the limit" in sentence(ondemand("replay", endless))


def test_a_folder_without_traces_is_named_beside_others(ondemand: Command, tmp_path: Path) -> None:
    said = sentence(ondemand("replay", EVERY[0], tmp_path))
    assert said.startswith(f"{tmp_path}: no traces (*.scenario or *.itf.json) there")


def test_a_pipe_is_not_waited_for(ondemand: Command, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.scenario")
    for given in (tmp_path, tmp_path / "pipe.scenario"):
        assert "pipe.scenario: is a pipe; name a scenario that is a file" in sentence(ondemand("replay", given))


def test_a_scenario_under_another_name_is_told_what_it_is_taken_for(ondemand: Command, tmp_path: Path) -> None:
    (tmp_path / "run.txt").write_text(RUN)
    said = "is not JSON (Expecting value); a file of this name is read as an ITF file"
    assert f"run.txt: line 1: {said}" in sentence(ondemand("replay", tmp_path / "run.txt"))


def test_no_file_among_the_vectors_is_passed_over() -> None:
    shipped = [file for file in vectors_of(PROTOCOL).parent.rglob("*") if not file.is_dir()]
    assert sorted(shipped) == sorted(EVERY)


# --------------------------------------------------------------------------------------------- failed expectations


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("known h1 p1 = 1", "known h1 p1 = 2", "line 10: step 5: expected known h1 p1 = 2, found known h1 p1 = 1"),
        ("known h1 p1 = 1", "not known h1 p1 = 1", "line 10: step 5: expected not known h1 p1 = 1, found known h1 p1 = 1"),
        ("expect told h1 p1", "expect told h2 p1", "line 11: step 5: expected told h2 p1, found told h2 p1 does not hold"),
        ("not told h2 p1", "not told h1 p1", "line 12: step 5: expected not told h1 p1, found told h1 p1 holds"),
        ("route h1 1 p1 1", "route h2 1 p1 1", "line 13: step 5: expected route h2 1 p1 1, found route h2 1 p1 1 does not"),
        ("p1 = evicted", "p1 = installed", "line 15: step 5: expected route_state h1 p1 = installed, found route_state h1"),
        ("told h1 p1", "event delivered h1 p1 p2", "line 11: step 5: expected event delivered h1 p1 p2, found no event"),
        ("told h1 p1", "breaks newer_wins", "line 11: step 5: expected breaks newer_wins, found newer_wins is kept"),
        ("not reaches", "reaches", "line 16: step 5: expected reaches a_confirmation_counts, found a_confirmation_counts is no"),
        ("told h1 p1", "leaves on-demand", "line 11: step 5: expected leaves on-demand, found that no step is the first"),
    ],
)  # fmt: skip
def test_an_expectation_that_is_not_met_is_a_finding(
    old: str, new: str, said: str, ondemand: Command, write: Callable[[str | bytes], Path]
) -> None:
    assert old in RUN
    file = write(RUN.replace(old, new, 1))
    ended = ondemand("replay", file)
    assert (ended.code, ended.out) == (Exit.VIOLATED, "")
    (line,) = ended.err.splitlines()
    assert f"{file}: {said}" in line
    shown = ondemand("show", file)
    assert shown.code == Exit.VIOLATED
    assert f"{file}: {said}" in shown.err
    assert "learn" in shown.out


@pytest.mark.parametrize(
    ("old", "new", "code", "said"),
    [
        ("breaks versions_are_immutable", "breaks newer_wins", Exit.VIOLATED, "line 9: step 2: expected breaks newer_wins, "),
        ("place p1 h2", "  expect leaves on-demand\nplace p1 h2", Exit.VIOLATED, "line 7: step 1: expected leaves on-demand, "
         "found that step 2 is the first that does"),
        ("  expect leaves on-demand\n", "", Exit.BAD_INPUT, "line 7: leaves on-demand; write 'expect leaves on-demand' below"),
    ],
)  # fmt: skip
def test_where_a_run_leaves_the_protocol_is_checked(
    old: str, new: str, code: Exit, said: str, ondemand: Command, write: Callable[[str | bytes], Path]
) -> None:
    file = write(LEAVING)
    assert ondemand("replay", file).code == 0
    file = write(LEAVING.replace(old, new, 1))
    ended = ondemand("replay", file)
    assert ended.code == code
    assert f"{file}: {said}" in ended.err


# -------------------------------------------------------------------------------------------------------- writing


def test_a_run_in_a_configuration_without_a_name_is_no_scenario(ondemand: Command, tmp_path: Path) -> None:
    world = tmp_path / "world.toml"
    world.write_text(configurations.path_of("two-hosts", PROTOCOL).read_text(encoding="utf-8"), encoding="utf-8")
    lines = f"place p1 h1\nw {tmp_path / 'x.scenario'}\n"
    ended = ondemand("step", "--config", world, stdin=lines)
    assert ended.code == Exit.BAD_INPUT
    assert "world is no named configuration, as a scenario needs it; name an ITF file" in ended.err


def test_a_run_that_repeats_is_no_scenario(ondemand: Command, tmp_path: Path) -> None:
    lasso = min(files for files in (vectors_of(PROTOCOL).parents[1] / "lassos" / "on-demand").iterdir())
    trace, _, protocol = itf.read_with_meta(lasso, PROTOCOL)
    with pytest.raises(Exception, match="repeats for ever"):
        scenario.dumps(trace, protocol)


def test_a_run_is_continued_and_written_again(ondemand: Command, tmp_path: Path) -> None:
    first, second = tmp_path / "first.scenario", tmp_path / "second.itf.json"
    ended = ondemand("step", stdin=f"place p1 h1\nw {first}\n")
    assert ended.code == 0
    ended = ondemand("step", first, stdin=f"store p1 1\nw {second}\n")
    assert ended.code == 0
    assert [step.action for step in read_vector(second, PROTOCOL).trace.steps] == ["place", "store"]
    ended = ondemand("step", first, "--config", "two-hosts", stdin="")
    assert "says its protocol and configuration; leave the options out" in sentence(ended)


def test_relations_and_functions_of_every_protocol_can_be_named() -> None:
    """An expectation about each of them in the first state, computed and then negated."""
    for name in ("on-demand", "small-networks", "message-queue", "slots", "failover"):
        protocol = named(name)
        configuration = configurations.find(configurations.first(protocol), protocol).whole()
        interpreter = Interpreter(protocol, configuration)
        state = initial_state(protocol, configuration)
        at = expectations.Taken(interpreter, state, state, frozenset())
        for symbol in protocol.symbols:
            if symbol.kind == "event":
                continue
            first = next(tuples(symbol, configuration))
            said = expectations.call(symbol.name, first)
            if symbol.result is Formula:
                said = said if first in state.relations[symbol.name] else f"not {said}"
            else:
                said = f"{said} = {state.functions[symbol.name][first]}"
            assert expectations.unmet(said, at) is None, said
            denied = said.removeprefix("not ") if said.startswith("not ") else f"not {said}"
            assert expectations.unmet(denied, at) is not None, denied
