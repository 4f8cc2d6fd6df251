"""Whatever weakens a statement shows in the reviewed list, which no command writes but `review`, and that only by name."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from conformance import protocols
from conformance.cli.check import faults_of
from conformance.data import files
from conformance.evidence import gathering, reviewed
from conformance.evidence.background_broker import BrokerInBackground
from conformance.protocols import PROTOCOLS, named
from impl.cli.exits import Exit, Problem
from model.language import Declaration, Protocol
from tests.conformance.cli.test_commands import Command, ondemand
from tests.conformance.cli.test_specification import ondemand as ondemand_in
from tests.conformance.cli.test_specification import own

__all__ = ["ondemand", "own"]

FAILOVER = named("failover")
Change = Callable[[Path], None]


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_the_statement_is_as_it_was_reviewed(protocol: Protocol) -> None:
    assert [difference.sentence for difference in reviewed.differences(protocol)] == []


def edit(file: str, old: str, new: str) -> Change:
    """Replaces text in a file of the copy of `spec`."""

    def change(folder: Path) -> None:
        path = folder / "spec" / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file}: {old}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def delete(protocol: str, *names: str) -> Change:
    """Deletes the text of declarations, each as file and name, and where they are imported, as if they had never been written."""

    def change(folder: Path) -> None:
        for file, function in (name.split(".") for name in names):
            path = folder / "spec" / protocol / f"{file}.py"
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            (node,) = (
                node
                for node in ast.parse("".join(lines)).body
                if isinstance(node, ast.FunctionDef) and node.name == function
            )
            del lines[node.decorator_list[0].lineno - 1 : node.end_lineno]
            path.write_text("".join(lines), encoding="utf-8")
            for each in path.parent.glob("*.py"):
                text = each.read_text(encoding="utf-8")
                each.write_text(re.sub(rf"^    {function},\n", "", text, flags=re.MULTILINE), encoding="utf-8")

    return change


def configured(protocol: str, file: str, old: str, new: str, kind: files.Kind = "configurations") -> Change:
    """Replaces text in a configuration, or in a file of another kind, beside the copy."""

    def change(folder: Path) -> None:
        path = folder / "conformance" / "data" / kind / protocol
        shutil.copytree(files.SHIPPED / kind / protocol, path)
        text = (path / file).read_text(encoding="utf-8")
        assert old in text
        (path / file).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def without(protocol: str, file: str, kind: files.Kind = "configurations") -> Change:
    """Deletes a configuration, or a file of another kind, beside the copy."""

    def change(folder: Path) -> None:
        configured(protocol, file, "", "", kind)(folder)
        (folder / "conformance" / "data" / kind / protocol / file).unlink()

    return change


def together(*changes: Change) -> Change:
    """One change after the other."""

    def change(folder: Path) -> None:
        for each in changes:
            each(folder)

    return change


def moved(protocol: str, file: str, to: str) -> Change:
    """Moves a configuration beside the copy to the folder of another engine."""

    def change(folder: Path) -> None:
        configured(protocol, file, "", "")(folder)
        path = folder / "conformance" / "data" / "configurations" / protocol
        (path / file).rename(path / to / Path(file).name)

    return change


WEAKENED = "was weakened or changed since it was reviewed"
READS = "reads a definition that was changed since it was reviewed"
DELETED = "was deleted since it was reviewed"
NEW = "was never reviewed"

WEAKENINGS: Mapping[str, tuple[Change, list[str]]] = {
    "a conjunct of a promise is dropped": (
        edit("failover/promises.py", "return stays & stays_answered &", "return stays &"),
        [f"promise a_journal_only_grows {WEAKENED}"],
    ),
    "a sentence says more than the formula": (
        edit(
            "failover/promises.py",
            "and the record of its answer, stay forever",
            "and all that was ever sent, stay forever",
        ),
        [f"promise a_journal_only_grows {WEAKENED}"],
    ),
    "a premise is strengthened": (
        edit("failover/promises.py", "implies(took(instance,", "implies((NO_TERM < term) & took(instance,"),
        [f"promise a_term_belongs_to_one_instance {WEAKENED}"],
    ),
    "a promise becomes a lemma": (
        edit("failover/promises.py", "@always(the_peer_is_told)", "@lemma"),
        [
            f"lemma nothing_is_sent_that_is_not_recorded {NEW}",
            f"promise nothing_is_sent_that_is_not_recorded {DELETED}",
        ],
    ),
    "a promise loses a witness": (
        edit("failover/promises.py", "(a_successor_decides_too, a_deposed_", "(a_deposed_"),
        [f"promise a_deposed_instance_changes_nothing {WEAKENED}"],
    ),
    "a witness is true": (
        edit(
            "failover/promises.py",
            "return published.unspent(journal, version, decision)\n",
            "return version <= version\n",
        ),
        [f"witness the_peer_is_told {WEAKENED}"],
    ),
    "a lemma is weakened": (
        edit(
            "failover/promises.py",
            "return implies(answer(journal, version), ",
            "return implies(consumed(journal, version), ",
        ),
        [f"lemma answers_are_to_entries {WEAKENED}"],
    ),
    "an eventuality asks for less": (
        edit(
            "failover/promises.py",
            "return leads_to(recorded, ",
            "return leads_to(recorded, sent(instance, journal, version) | ",
        ),
        [f"eventuality what_is_recorded_is_done {WEAKENED}"],
    ),
    "a definition is loosened": (
        edit("on_demand/definitions.py", "return vpc_of(pod) == vpc_of(other)", "return vpc_of(pod) == vpc_of(pod)"),
        [f"definition same_vpc {WEAKENED}", f"promise answers_the_asker {READS}"],
    ),
    "an action is not fair any more": (
        edit("failover/actions.py", "@action(by=BROKER, fair=True)\ndef record", "@action(by=BROKER)\ndef record"),
        [f"action record {WEAKENED}"],
    ),
    "a fair action records less history": (
        edit("failover/actions.py", "took.add(instance, journal, term),", ""),
        [f"action take_over {WEAKENED}", f"action depose {WEAKENED}"],
    ),
    "a fair action is silent": (
        edit("failover/actions.py", "emits=[noted(journal, version, term)],", ""),
        [f"action record {WEAKENED}"],
    ),
    "a fair action does less": (
        edit(
            "failover/actions.py",
            "in_term(instance, journal), ~ready(",
            "in_term(instance, journal), ~paused(instance), ~ready(",
        ),
        [f"action load {WEAKENED}"],
    ),
    "a fair action of a protocol that is not replayed does less": (
        edit(
            "small_networks/statement.py",
            "greeted(host) > NEVER,\n        ],",
            "greeted(host) == Epoch.of(1),\n        ],",
        ),
        [f"action tell_in_advance {WEAKENED}"],
    ),
    "an action becomes fair": (
        edit("failover/actions.py", "@action(by=INSTANCE)\ndef wake", "@action(by=INSTANCE, fair=True)\ndef wake"),
        [f"action wake {WEAKENED}"],
    ),
    "a message is spent earlier": (
        edit(
            "failover/vocabulary.py",
            "return consumed(journal, version)\n",
            "return consumed(journal, version) | answered(journal, version)\n",
        ),
        [f"message answer {WEAKENED}"],
    ),
    "the adversary is narrowed": (
        edit(
            "on_demand/adversary.py",
            "~correct(host), epoch > NEVER, Version",
            "~correct(host), epoch > Epoch.of(1), Version",
        ),
        [f"action forge_applied {WEAKENED}"],
    ),
    "the adversary loses an action": (
        together(delete("slots", "adversary.spy"), without("slots", "a-spy.toml")),
        [f"action spy {DELETED}", f"configuration a-spy {DELETED}"],
    ),
    "a fault does not happen": (
        edit("failover/actions.py", "then=[paused.add(instance), for_each", "then=[for_each"),
        [f"action pause {WEAKENED}"],
    ),
    "alternatives apply to less": (
        edit("slots/aca.py", "up(host) & given(vpc,", "up(host) & (Turn.of(0) < Turn.of(1)) & given(vpc,"),
        [f"alternatives takes_from_the_topic {WEAKENED}"],
    ),
    "less is a deadlock": (
        edit(
            "slots/definitions.py",
            "return waiting | exists(Vpc, Revision, Slot",
            "return waiting & exists(Vpc, Revision, Slot",
        ),
        [f"deadlock condition owed {WEAKENED}"],
    ),
    "the adversary may be counted on": (
        edit("on_demand/vocabulary.py", ", each=Host, environment=True)", ", each=Host)"),
        [f"role ADVERSARY {WEAKENED}"],
    ),
    "nobody holds a piece of the state": (
        edit("on_demand/vocabulary.py", 'every newer version.", holder=NCM)', 'every newer version.")'),
        [f"state told {WEAKENED}"],
    ),
    "a variant breaks less": (
        edit(
            "failover/variants.py",
            "breaks=[versions_have_one_allocator, a_deposed_instance_changes_nothing]",
            "breaks=[versions_have_one_allocator]",
        ),
        [f"variant several_decide_at_once {WEAKENED}"],
    ),
    "a bound is smaller": (
        configured("failover", "two-instances.toml", "Term = 2", "Term = 1"),
        [f"configuration two-instances {WEAKENED}"],
    ),
    "a configuration leaves an action out": (
        configured("on-demand", "two-hosts.toml", "\n[sorts]", '\nwithout = ["evict"]\n\n[sorts]'),
        [f"configuration two-hosts {WEAKENED}"],
    ),
    "a configuration allows fewer choices": (
        configured("failover", "live/a-successor.toml", "[only]\n", '[only]\npropose = ["i1,j1,d1"]\n'),
        [f"configuration a-successor {WEAKENED}"],
    ),
    "a configuration is deleted": (
        without("failover", "live/a-successor.toml"),
        [f"configuration a-successor {DELETED}"],
    ),
    "a configuration is not explored any more": (
        moved("small-networks", "two-tenants.toml", "scenarios"),
        [f"configuration two-tenants {WEAKENED}"],
    ),
    "nothing is decided in a configuration any more": (
        moved("failover", "live/a-successor.toml", "scenarios"),
        [f"configuration a-successor {WEAKENED}"],
    ),
    "a configuration pins no count any more": (
        configured("failover", "two-instances.toml", "distinct = 783279\n", ""),
        [f"configuration two-instances {WEAKENED}"],
    ),
    "a scenario expects less": (
        configured(
            "failover",
            "another-one-is-paused.scenario",
            "  expect not reaches an_entry_waits_for_a_leader\nwake",
            "wake",
            "scenarios",
        ),
        [f"scenario another-one-is-paused {WEAKENED}"],
    ),
    "a scenario ends earlier": (
        configured("failover", "takes-over-from-itself.scenario", "\npublish i2 j1 2 d2", "", "scenarios"),
        [f"scenario takes-over-from-itself {WEAKENED}"],
    ),
    "a scenario is deleted": (
        without("failover", "takes-over-from-itself.scenario", "scenarios"),
        [f"scenario takes-over-from-itself {DELETED}"],
    ),
    "a promise is deleted with its evidence": (
        delete(
            "failover",
            "promises.an_answer_counts_for_who_can_record_it",
            "promises.an_answer_counts",
            "variants.the_deposed_record_answers",
            "variants.counts_answers_to_what_comes_next",
        ),
        [
            f"promise an_answer_counts_for_who_can_record_it {DELETED}",
            f"witness an_answer_counts {DELETED}",
            f"variant the_deposed_record_answers {DELETED}",
            f"variant counts_answers_to_what_comes_next {DELETED}",
        ],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("change", "said"), WEAKENINGS.values(), ids=WEAKENINGS.keys())
def test_a_weakening_shows_with_its_place_and_the_command(change: Change, said: list[str], own: Path) -> None:
    change(own)
    ended = ondemand_in(own, "--spec", "spec", "review")
    assert (ended.code, ended.err) == (Exit.VIOLATED, "")
    for part in said:
        name = part.partition(" was ")[0].partition(" reads ")[0].split()[-1]
        line = next(line for line in ended.out.splitlines() if line.startswith(f"The {part} ("))
        assert line.endswith(f"`ondemand --spec spec review {name}`.")
        assert ".py, line " in line or ".toml" in line or ".scenario" in line


@pytest.mark.slow
def test_other_prose_is_not_reviewed(own: Path) -> None:
    edit("failover/actions.py", "No live leader is known", "Nobody leads as far as is known")(own)
    configured("failover", "two-instances.toml", "Two instances and one journal", "One journal and two instances")(own)
    ended = ondemand_in(own, "--spec", "spec", "review")
    assert (ended.code, ended.out) == (Exit.HOLDS, "Everything is as it was reviewed.\n")


@pytest.mark.slow
def test_what_golden_writes_makes_no_weakening_green(own: Path) -> None:
    edit("failover/promises.py", "return stays & stays_answered &", "return stays &")(own)
    for part in ("docs", "counts", "lassos"):
        assert ondemand_in(own, "--spec", "spec", "golden", part, "failover").code == Exit.HOLDS
    assert ondemand_in(own, "--spec", "spec", "review").code == Exit.VIOLATED
    assert not (own / "conformance" / "data" / "reviewed").exists()


def test_a_protocol_that_is_not_replayed_any_more_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocols, "REPLAYED", protocols.DRIVEN)
    monkeypatch.setitem(protocols.NOT_REPLAYED, "failover", "somebody looked at it")
    (difference,) = reviewed.differences(FAILOVER)
    assert difference.sentence.startswith(f"The protocol replayed {WEAKENED} (")
    assert (difference.old, difference.new) == ("step by step", "somebody looked at it")


def test_a_check_is_red_until_a_change_is_reviewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_prove", lambda found, told: found.unmet.append("the check ends here"))
    monkeypatch.setattr(reviewed, "entries", lambda protocol: iter(list(now(protocol))[1:]))
    found = gathering.gather(FAILOVER, FAILOVER, configurations=[], broker=BrokerInBackground(), told=lambda *_: None)
    found.unmet.clear()
    (sentence,) = found.unreviewed
    assert sentence.startswith(f"The sort Instance {DELETED} (conformance/data/reviewed/failover.toml, line ")
    assert sentence in [fault.sentence for fault in faults_of(found, None)]
    assert replace(found, mutants=None).exit is not Exit.UNDECIDED
    assert found.as_json()["unreviewed"] == [sentence]


now = reviewed.entries


@pytest.fixture
def weakened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """The entries of failover, two of which are changed; their list stands in a folder of the test."""
    entries = dict(now(FAILOVER))
    entries["promise", "a_journal_only_grows"] = "always\ntrue"
    entries["action", "record"] = "by BROKER, never obliged to"
    monkeypatch.setattr(reviewed, "OWN", tmp_path)
    monkeypatch.setattr(
        reviewed, "entries", lambda protocol: iter(entries.items()) if protocol is FAILOVER else now(protocol)
    )
    shutil.copytree(files.SHIPPED / "reviewed", tmp_path / "reviewed")
    monkeypatch.setattr(reviewed, "kept", lambda kind, name: tmp_path / kind / name)
    return entries


@pytest.mark.usefixtures("weakened")
def test_only_what_is_named_is_written(ondemand: Command) -> None:
    before = reviewed.read(reviewed.file_of(FAILOVER))
    ended = ondemand("review", "a_journal_only_grows")
    assert (ended.code, ended.err) == (Exit.HOLDS, "")
    lines = ended.out.splitlines()
    assert lines[0].startswith("failover: promise a_journal_only_grows (spec/failover/promises.py, line ")
    assert lines[1] == "  was “An entry, and the record of its answer, stay forever; and terms never decrease.”"
    assert lines[2].startswith(
        "      two-state, for journal: Journal, version: Version, decision: Decision, witnesses: "
    )
    assert lines[-3:] == ["  is  always", "      true", ""]
    after = reviewed.read(reviewed.file_of(FAILOVER))
    assert after == {**before, ("promise", "a_journal_only_grows"): "always\ntrue"}
    assert list(after) == list(before)
    assert [difference.name for difference in reviewed.differences(FAILOVER)] == ["record"]


def test_a_name_of_two_protocols_does_not_write_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ondemand: Command
) -> None:
    weaker = {"slots": "spent when\ntrue", "message-queue": "lasting"}

    def entries(protocol: Protocol) -> Iterator[tuple[tuple[str, str], str]]:
        for key, text in now(protocol):
            yield key, weaker.get(protocol.name, text) if key == ("message", "hello") else text

    shutil.copytree(files.SHIPPED / "reviewed", tmp_path / "reviewed")
    monkeypatch.setattr(reviewed, "OWN", tmp_path)
    monkeypatch.setattr(reviewed, "kept", lambda kind, name: tmp_path / kind / name)
    monkeypatch.setattr(reviewed, "entries", entries)
    ended = ondemand("review", "hello")
    assert (ended.code, ended.out) == (Exit.BAD_INPUT, "")
    assert ended.err == "hello: is changed differently in message-queue, slots; name one with --protocol\n"
    assert ondemand("review", "hello", "--protocol", "slots").code == Exit.HOLDS
    assert [each.protocol.name for protocol in PROTOCOLS for each in reviewed.differences(protocol)] == [
        "message-queue"
    ]
    weaker["on-demand"] = weaker["small-networks"] = "never spent"
    del weaker["message-queue"]
    assert ondemand("review", "hello").code == Exit.HOLDS
    assert ondemand("review").code == Exit.HOLDS


@pytest.mark.usefixtures("weakened")
def test_what_is_no_difference_cannot_be_reviewed(ondemand: Command) -> None:
    before = reviewed.file_of(FAILOVER).read_bytes()
    ended = ondemand("review", "wake", "record")
    assert (ended.code, ended.out) == (Exit.BAD_INPUT, "")
    assert ended.err == "unknown difference 'wake'; choose one of record, a_journal_only_grows\n"
    assert ondemand("review", "--all").code == Exit.BAD_INPUT
    assert reviewed.file_of(FAILOVER).read_bytes() == before


def test_a_damaged_list_is_said_in_one_sentence(tmp_path: Path) -> None:
    for text in ("[promise", "promise = 5", "[promise]\nx = 5"):
        (tmp_path / "failover.toml").write_text(text, encoding="utf-8")
        with pytest.raises(Problem, match=r"failover\.toml: is no reviewed list \("):
            reviewed.read(tmp_path / "failover.toml")


@dataclass(frozen=True)
class Extended(Protocol):
    """A protocol with something that nobody has thought of."""

    hunches: tuple[object, ...] = ()


@pytest.mark.parametrize("of", [5, Declaration()], ids=["a number", "a kind of declaration"])
def test_every_field_of_a_protocol_is_covered_or_refused(of: object) -> None:
    extended = Extended(**vars(FAILOVER), hunches=(of,))
    with pytest.raises(TypeError, match=r"is of a kind that conformance\.evidence\.reviewed does not know"):
        list(reviewed.entries(extended))
    with pytest.raises(TypeError, match=r"say in model\.language\.protocol how it enters the digest"):
        Extended(**vars(FAILOVER), hunches=(5,)).digest()
