"""Logs of a right implementation notice mutants of the statement that forbid what it does, and say where."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.mutation.digests import LOGS, LOGS_BY, modules
from conformance.mutation.logs import Logs, logs_of, without_places
from conformance.mutation.table import SURVIVES, Kill, Undecided
from model.mutation.rules import Mutant, mutants_of
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND

MUTANTS = {
    each_mutant.name: each_mutant for protocol in (ON_DEMAND, MESSAGE_QUEUE) for each_mutant in mutants_of(protocol)
}


@pytest.fixture(scope="module")
def logs() -> Iterator[Logs]:
    with logs_of(ON_DEMAND) as found:
        yield found


def only(rule: str, action: str) -> list[Mutant]:
    return [mutant for mutant in MUTANTS.values() if mutant.rule == rule and mutant.original.name == action]


def test_the_statement_itself_is_noticed_by_no_line(logs: Logs) -> None:
    learn = next(action for action in ON_DEMAND.actions if action.name == "learn")
    assert logs.noticed(Mutant("learn: as it is", learn, learn, "drop")) == SURVIVES


def test_a_condition_that_has_to_be_false_is_noticed_by_the_first_line_where_it_holds(logs: Logs) -> None:
    for mutant in only("negate", "deliver"):
        found = logs.noticed(mutant)
        assert isinstance(found, Kill), mutant.name
        assert (found.check.kind, found.check.name, found.where) == ("line", "deliver", "guard")


def test_a_message_that_is_not_sent_is_noticed_by_a_line_that_says_so(logs: Logs) -> None:
    skipped = [item for item in only("skip", "grant") if "granted" in item.name]
    assert skipped
    for mutant in skipped:
        found = logs.noticed(mutant)
        assert isinstance(found, Kill)
        assert (found.check.name, found.where) == ("grant", "sent")


def test_what_a_right_implementation_does_not_do_is_not_noticed(logs: Logs) -> None:
    dropped = [item for item in only("drop", "learn") if "known(host, pod) < version" in item.name]
    assert dropped
    assert [logs.noticed(item) for item in dropped] == [SURVIVES] * len(dropped)


def test_every_line_that_is_a_check_is_there_to_kill(logs: Logs) -> None:
    names = {check.name for check in logs.checks}
    assert {"place", "store", "grant", "refuse", "greet", "ask", "learn", "release", "deliver", "restart"} <= names


def test_what_depends_on_the_order_at_the_broker_is_undecided() -> None:
    mutant = next(item for item in only("negate", "receive") if "backlog" in item.name)
    with logs_of(MESSAGE_QUEUE) as logs:
        assert isinstance(logs.noticed(mutant), Undecided)


def test_the_digest_of_logs_is_of_the_matcher_the_recorder_and_the_cores() -> None:
    files = {"/".join(path.parts[-3:]) for path in modules(LOGS_BY, LOGS)}
    for item in ("conformance/logs/causal_order.py", "model/matching/fast.py", "impl/events/recorder.py"):
        assert item in files
    assert any(file.endswith("impl/on_demand/ncm.py") for file in files)


def test_why_a_verdict_is_inconclusive_is_said_without_folders_which_are_others_each_time() -> None:
    said = [f"{folder}/dpm.ndjson: line 7: is about what was forgotten" for folder in ("/a/one-1", "/a/two-2")]
    assert {without_places(message) for message in said} == {"dpm.ndjson: line 7: is about what was forgotten"}
