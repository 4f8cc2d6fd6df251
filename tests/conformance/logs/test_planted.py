"""Faults planted in recorded logs: each is explained on one screen, with its line, the misfit, the nearest step, and the edit.

The logs come from real cores with real recorders, with late, repeated and reordered messages.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from conformance.logs.fleet import record_in_memory
from conformance.report.explanation_page import as_page
from conformance.report.explanation_screen import SCREEN_COLUMNS, SCREEN_LINES, screen
from impl.events.line import Line
from tests.conformance.logs.planted import Logs, Report, everywhere, with_changed_entries, with_changed_messages

AGENTS, EVENTS = 20, 3_000
"""Two VPCs, so that there is another tenant; enough lines for moves, removals, refusals and restarts."""


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Logs:
    """Logs that conform."""
    made = record_in_memory(tmp_path_factory.mktemp("fleet"), EVENTS, agents=AGENTS)
    return Logs.read({path.stem: path for path in made.files})


@dataclass(frozen=True)
class Fault:
    """Logs with a planted fault, and the expected report."""

    logs: Logs
    file: str
    line: int
    """Line number, from 1."""
    false: str = ""
    """The first false conjunct, in the statement's notation."""
    field: str = ""
    """The first field that differs from the step that the line names, if the guard holds."""
    decisive: tuple[str, Any, Any] | None = None
    """The first difference to the nearest step: the field, the value of the line, and the right one."""
    edit: str = "change"
    promise: str = ""
    verdict: str = "diverges"


def a_grant(logs: Logs) -> tuple[int, Line]:
    """An answer in the middle of NCM's log."""
    place = logs.find("ncm", "grant", skip=5)
    return place, logs.files["ncm"][place]


def changed_grant(logs: Logs, name: str, wrong: str | int, **expected: Any) -> Fault:
    """A grant with another choice, consistent within the line."""
    place, line = a_grant(logs)
    right = line.attributes[name]
    changes = everywhere(line, right, wrong)
    changes["attributes"] = {**line.attributes, name: wrong}
    planted = logs.with_line("ncm", place, **changes)
    return Fault(planted, "ncm", place + 1, decisive=(f"attributes.{name}", wrong, right), **expected)


TAKES = "takes request(host, epoch, asked_by, source, destination)"


def changed_version(logs: Logs) -> Fault:
    """NCM grants a version that was never issued."""
    place, line = a_grant(logs)
    right = line.attributes["version"]
    planted = logs.with_line(
        "ncm",
        place,
        attributes={**line.attributes, "version": 99},
        sent=with_changed_messages(line, lambda item: (*item[:-1], 99)),
    )
    return Fault(
        planted,
        "ncm",
        place + 1,
        false="version = recorded(destination)",
        decisive=("attributes.version", 99, right),
        promise="grants_only_what_is_placed",
    )


def forged_asker(logs: Logs) -> Fault:
    """NCM answers a host that has not asked."""
    _, line = a_grant(logs)
    other = next(name for name in logs.files if name.startswith("host") and name != line.attributes["host"])
    return changed_grant(logs, "host", other, false=TAKES, promise="answers_the_asker")


def across_tenants(logs: Logs) -> Fault:
    """NCM grants a pod of another VPC."""
    _, line = a_grant(logs)
    own = str(line.attributes["source"]).partition("/")[0]
    other = next(
        str(file.attributes["pod"])
        for file in logs.files["ncm"]
        if file.event == "on-demand.store" and str(file.attributes["pod"]).partition("/")[0] != own
    )
    return changed_grant(logs, "destination", other, false=TAKES, promise="stays_in_its_vpc")


def anothers_request(logs: Logs) -> Fault:
    """NCM answers under the number of another request."""
    return changed_grant(logs, "asked_by", "1.1", false=TAKES)


def stale_epoch(logs: Logs) -> Fault:
    """NCM answers an earlier epoch."""
    place = logs.find("ncm", "grant", lambda line: int(line.attributes["epoch"]) > 1)
    line = logs.files["ncm"][place]
    right = int(line.attributes["epoch"])
    planted = logs.with_line(
        "ncm",
        place,
        attributes={**line.attributes, "epoch": right - 1},
        sent=with_changed_messages(line, lambda item: (*item[:2], right - 1, *item[3:])),
    )
    return Fault(planted, "ncm", place + 1, false=TAKES, decisive=("attributes.epoch", right - 1, right))


def early_acknowledgment(logs: Logs) -> Fault:
    """NCM counts a version as confirmed that the agent has not applied."""
    place = logs.find("ncm", "acknowledge", lambda line: line.attributes["version"] != line.attributes["epoch"])
    line = logs.files["ncm"][place]
    right = int(line.attributes["version"])
    planted = logs.with_line("ncm", place, **everywhere(line, right, right + 1))
    return Fault(
        planted,
        "ncm",
        place + 1,
        false="takes applied(host, epoch, pod, version)",
        decisive=("attributes.version", right + 1, right),
    )


def done_too_early(logs: Logs) -> Fault:
    """NCM reports a version as done before the last host confirmed it: two lines are swapped, including their numbers."""
    lines = list(logs.files["ncm"])
    place = next(
        place
        for place, (one, other) in enumerate(pairwise(lines))
        if one.event == "on-demand.acknowledge"
        and other.event == "on-demand.report_done"
        and one.attributes["pod"] == other.attributes["pod"]
    )
    one, other = lines[place], lines[place + 1]
    lines[place : place + 2] = [other, one]
    planted = logs.changed("ncm", lines)
    return Fault(planted, "ncm", place + 1, edit="swap", verdict="inconclusive")


def swapped_and_renumbered(logs: Logs) -> Fault:
    """The same with corrected numbers: the content is wrong, not only the order of the file."""
    found = done_too_early(logs)
    place = found.line - 1
    lines = list(found.logs.files["ncm"])
    first, second = lines[place], lines[place + 1]
    planted = found.logs.with_line("ncm", place, sequence=second.sequence)
    planted = planted.with_line("ncm", place + 1, sequence=first.sequence)
    return Fault(planted, "ncm", found.line, false="∀ host: Host. ¬pending(pod, version, host)", edit="swap")


def dropped_line(logs: Logs) -> Fault:
    """The line of an answer that an agent has taken is missing in NCM's log."""
    place, _ = a_grant(logs)
    lines = list(logs.files["ncm"])
    del lines[place]
    return Fault(logs.changed("ncm", lines), "ncm", place + 1, edit="insert", verdict="inconclusive")


def repeated_line(logs: Logs) -> Fault:
    """A line is repeated."""
    place, line = a_grant(logs)
    lines = [*logs.files["ncm"][: place + 1], line, *logs.files["ncm"][place + 1 :]]
    return Fault(logs.changed("ncm", lines), "ncm", place + 2, edit="drop", verdict="inconclusive")


def wrong_place(logs: Logs) -> Fault:
    """NCM records another host than DPM decided."""

    def is_moved_to_somebody_there(line: Line) -> bool:
        after = line.after or {}
        told = all(entry[-1] for entry in after.get("told", ()))
        return int(line.attributes["version"]) > 1 and "at" in after and told

    place = logs.find("ncm", "store", is_moved_to_somebody_there)
    line = logs.files["ncm"][place]
    assert line.after is not None
    ((pod, version, right, _),) = line.after["at"]
    wrong = "host-0000" if right != "host-0000" else "host-0001"
    planted = logs.with_line(
        "ncm", place, after=with_changed_entries(line, "at", lambda item: (*item[:2], wrong, True))
    )
    field = f"after.at({pod}, {version}, {wrong})"
    return Fault(
        planted, "ncm", place + 1, field=field, decisive=(field, True, False), promise="versions_are_immutable"
    )


def lost_mark(logs: Logs) -> Fault:
    """NCM loses the fact that it told the host."""
    place, line = a_grant(logs)
    planted = logs.with_line("ncm", place, after=with_changed_entries(line, "told", lambda item: (*item[:-1], False)))
    field = f"after.told({line.attributes['host']}, {line.attributes['destination']})"
    return Fault(planted, "ncm", place + 1, field=field, decisive=(field, False, True))


def message_not_sent(logs: Logs) -> Fault:
    """NCM stores a version, but does not tell one of the hosts that know the pod."""
    place = logs.find("ncm", "store", lambda line: len(line.sent or ()) > 1)
    line = logs.files["ncm"][place]
    assert line.sent is not None
    planted = logs.with_line("ncm", place, sent=line.sent[:-1])
    return Fault(planted, "ncm", place + 1, field="sent", decisive=("sent", None, line.sent[-1]))


def changed_on_its_way(logs: Logs) -> Fault:
    """An agent learns a newer version than it was sent."""
    file, place = next(
        (name, place)
        for name, lines in logs.files.items()
        if name.startswith("host")
        for place, line in enumerate(lines)
        if line.event == "on-demand.learn" and int(line.attributes["version"]) == 2
    )
    line = logs.files[file][place]
    planted = logs.with_line(file, place, **everywhere(line, 2, 3))
    return Fault(
        planted,
        file,
        place + 1,
        false="takes route(host, epoch, pod, version)",
        decisive=("attributes.version", 3, 2),
    )


def packet_of_another(logs: Logs) -> Fault:
    """An agent releases a packet that it does not hold."""
    file, place = next(
        (name, place)
        for name, lines in logs.files.items()
        if name.startswith("host")
        for place, line in enumerate(lines)
        if line.event == "on-demand.release"
    )
    line = logs.files[file][place]
    right, vpc = line.attributes["source"], str(line.attributes["source"]).partition("/")[0]
    planted = logs.with_line(file, place, **everywhere(line, right, f"{vpc}/10.99.0.1"))
    return Fault(
        planted,
        file,
        place + 1,
        false="waiting(host, asked_by, source, destination)",
        decisive=("attributes.source", f"{vpc}/10.99.0.1", right),
        promise="acts_once",
    )


def wrong_reason(logs: Logs) -> Fault:
    """NCM refuses with a wrong reason."""
    place = logs.find("ncm", "refuse", lambda line: line.attributes["why"] == "unknown")
    line = logs.files["ncm"][place]
    planted = logs.with_line("ncm", place, **everywhere(line, "unknown", "gone"))
    return Fault(
        planted,
        "ncm",
        place + 1,
        false="why = why_not(host, source, destination)",
        decisive=("attributes.why", "gone", "unknown"),
    )


FAULTS: list[Callable[[Logs], Fault]] = [
    changed_version,
    dropped_line,
    done_too_early,
    swapped_and_renumbered,
    forged_asker,
    early_acknowledgment,
    wrong_place,
    across_tenants,
    lost_mark,
    anothers_request,
    stale_epoch,
    repeated_line,
    changed_on_its_way,
    message_not_sent,
    packet_of_another,
    wrong_reason,
]


def test_the_logs_themselves_conform(logs: Logs, tmp_path: Path) -> None:
    report = logs.explained(tmp_path)
    assert report.verdict.verdict == "conforms"
    assert report.explanation is None


@pytest.fixture(scope="module", params=FAULTS, ids=lambda plant: plant.__name__)
def planted(
    request: pytest.FixtureRequest, logs: Logs, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Fault, Report]:
    """A planted fault and its report."""
    fault: Fault = request.param(logs)
    return fault, fault.logs.explained(tmp_path_factory.mktemp("planted"))


def test_a_wrong_is_found_at_its_line(planted: tuple[Fault, Report]) -> None:
    fault, report = planted
    assert report.verdict.verdict == fault.verdict
    record = report.why.record
    assert (Path(record.file).stem, record.number) == (fault.file, fault.line)
    assert record.line.process == (f"aca/{fault.file}" if fault.file.startswith("host") else fault.file)


def test_what_is_false_of_it_is_named(planted: tuple[Fault, Report]) -> None:
    fault, report = planted
    if fault.false:
        false = [part for part in report.why.candidates[0].guard if part.held is False]
        assert false[0].text == fault.false
        assert false[0].because
        assert report.why.because.startswith(f"{fault.false} is false: ")
    if fault.field:
        assert all(part.held for part in report.why.candidates[0].guard)
        assert report.why.differences[0].field == fault.field


def test_the_nearest_step_is_the_one_that_was_recorded(planted: tuple[Fault, Report]) -> None:
    fault, report = planted
    if fault.decisive is not None:
        assert report.why.nearest is not None
        first = report.why.nearest.differences[0]
        assert (first.field, first.observed, first.expected) == fault.decisive


def test_the_smallest_edit_is_confirmed_by_what_follows(planted: tuple[Fault, Report]) -> None:
    fault, report = planted
    edit = report.why.edits[0]
    assert edit.kind == fault.edit
    assert edit.confirmed
    assert edit.fits > 500


def test_the_promise_that_it_breaks_is_named(planted: tuple[Fault, Report]) -> None:
    fault, report = planted
    names = [item.promise.name for item in report.why.broken if not item.promise.lemma]
    if fault.promise:
        assert fault.promise in names
    if fault.verdict == "inconclusive":
        assert names == []  # lost and repeated lines break no promise


def test_it_fits_on_one_screen_which_names_line_and_process(planted: tuple[Fault, Report]) -> None:
    fault, report = planted
    lines = screen(report.why)
    assert len(lines) <= SCREEN_LINES
    assert max(len(line.text) for line in lines) <= SCREEN_COLUMNS
    text = "\n".join(line.text for line in lines)
    assert f"{fault.file}.ndjson, line {fault.line}: {report.why.record.line.process} says " in text.replace(
        "\n    ", " "
    )
    assert "The smallest change of the log" in text
    assert "The way there" in text
    assert f"{fault.line}. ✗ " in text


def test_all_of_it_is_in_json_and_on_a_page(planted: tuple[Fault, Report]) -> None:
    fault, report = planted
    data = json.loads(json.dumps(report.why.as_json()))
    assert (data["line"], data["process"]) == (fault.line, report.why.record.line.process)
    assert data["edits"][0]["text"] == report.why.edits[0].text
    assert [item["guard"] for item in data["candidates"]]
    page = as_page(report.why)
    assert f"line {fault.line}</h1>" in page
    assert "<script" not in page
    assert "<svg" in page


def test_the_lost_line_is_the_one_that_is_put_in(logs: Logs, tmp_path: Path) -> None:
    _, line = a_grant(logs)
    report = dropped_line(logs).logs.explained(tmp_path)
    values = ", ".join(map(str, line.attributes.values()))
    assert report.why.edits[0].text.endswith(f"number {line.sequence} of this run of ncm is missing: grant({values})")


TAKEN_UP = ("place", "store", "greet", "grant", "refuse", "report_done", "learn", "ask")
"""Steps that send messages that other lines take, with their ids."""
WITHOUT_A_TRACE = ("acknowledge", "release", "deliver", "evict")
"""Steps on which possibly no other line depends."""


@pytest.mark.parametrize("event", [*TAKEN_UP, *WITHOUT_A_TRACE])
def test_a_line_that_is_lost_is_put_in_again_whoever_wrote_it(logs: Logs, tmp_path: Path, event: str) -> None:
    """The report names the missing line, and its step if that had consequences."""
    places = [
        (file, place)
        for file, lines in logs.files.items()
        for place, line in enumerate(lines[:-2])
        if line.event == f"on-demand.{event}"
        and line.sequence > 1
        and lines[place + 1].run == line.run
        # A store before any greeting sends nothing: it shows much later, and is not always found.
        and (event != "store" or line.sent)
    ]
    file, place = places[len(places) // 2]
    line = logs.files[file][place]
    lines = [*logs.files[file][:place], *logs.files[file][place + 1 :]]
    report = logs.changed(file, lines).explained(tmp_path)
    assert report.verdict.verdict == "inconclusive"
    assert (Path(report.why.record.file).stem, report.why.record.number) == (file, place + 1)
    edit = report.why.edits[0]
    assert (edit.kind, edit.confirmed) == ("insert", True)
    assert f"number {line.sequence} of this run of {line.process} is missing" in edit.text
    named = f"{event}({', '.join(map(str, line.attributes.values()))})" in edit.text
    assert named or (event in WITHOUT_A_TRACE and edit.text.endswith("and nothing here depends on it"))
