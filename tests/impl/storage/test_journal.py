"""A journal has one writer, loses no appended entry, whatever is compacted, and detects two simultaneous writers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

import pulsar
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import impl.storage.journal
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.topics import journal as journal_topic
from impl.core import Effects
from impl.errors import BadDeployment, Deposed, EnvironmentProblem, StandsBy, Unreachable
from impl.messages import Pod
from impl.on_demand.dpm import Dpm
from impl.storage.journal import JournalStore
from impl.storage.log import Entry, Log
from impl.storage.memory_log import MemoryJournal, MemoryLog
from impl.storage.pulsar_log import PulsarLog, open_log

WAIT_SECONDS_MAX = 20.0

OpenLog = Callable[..., Log]
"""Opens the log for one more instance; `take_over=True`: by force."""

ONE, OTHER, LATE = Entry("a", b"one"), Entry("a", b"other"), Entry("a", b"late")


@pytest.fixture(params=["memory", "pulsar"])
def opened(request: pytest.FixtureRequest) -> Iterator[OpenLog]:
    """Both kinds of log; all opened ones are closed at the end."""
    logs: list[Log] = []
    open_one: OpenLog
    if request.param == "memory":
        open_one = MemoryJournal("journal-dpm").open
    else:
        deployment: Deployment = request.getfixturevalue("deployment")

        def open_one(*, take_over: bool = False) -> Log:
            return open_log(deployment, "dpm", take_over=take_over)

    def open_another(*, take_over: bool = False) -> Log:
        logs.append(open_one(take_over=take_over))
        return logs[-1]

    yield open_another
    for log in logs:
        log.close()


def led(log: Log) -> Log:
    """The log, led by this instance as soon as no other one leads."""
    end = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        try:
            log.lead()
        except StandsBy:
            assert time.monotonic() < end, "another instance led for too long"
        else:
            return log


# ---------------------------------------------------------------------------------------------------- both logs


def test_who_stands_by_leads_when_the_leader_is_gone_and_reads_what_it_left(opened: OpenLog) -> None:
    first, second = led(opened()), opened()
    first.append([ONE, OTHER])
    with pytest.raises(StandsBy, match="Another instance leads journal-dpm"):
        second.lead()
    first.close()
    led(second).append([LATE])
    assert list(second.read()) == [ONE, OTHER, LATE]
    assert list(opened().read()) == [ONE, OTHER, LATE]  # also without the lead


def test_who_is_deposed_appends_nothing_any_more(opened: OpenLog) -> None:
    first = led(opened())
    first.append([ONE])
    second = led(opened(take_over=True))
    second.append([OTHER])
    for _ in range(2):
        with pytest.raises(Deposed, match="journal-dpm: another instance has taken over"):
            first.append([LATE])
    first.append_soon(LATE)
    first.lead()  # it has led already, and does not begin again
    with pytest.raises(Deposed):
        first.append([LATE])
    second.append([Entry("b", b"end")])
    assert list(second.read()) == [ONE, OTHER, Entry("b", b"end")]


# ------------------------------------------------------------------------------------------------ on the broker


class Waits(PulsarLog):
    """Keeps the producer that waited for the topic."""

    def _hold(self) -> bool:
        self._producer = self._create(pulsar.ProducerAccessMode.WaitForExclusive)
        return True


class Fences(PulsarLog):
    """Keeps the producer that deposed the one before."""

    def _depose(self) -> None:
        """The producer itself deposes."""

    def _hold(self) -> bool:
        self._producer = self._create(pulsar.ProducerAccessMode.ExclusiveWithFencing)
        with Admin(self._deployment) as admin:
            admin.unload(self.name)
        return True


class Shares(PulsarLog):
    """Uses an ordinary shared producer."""

    def _hold(self) -> bool:
        self._producer = self._create(pulsar.ProducerAccessMode.Shared)
        return True


def stays_deposed(deployment: Deployment, kind: type[PulsarLog], monkeypatch: pytest.MonkeyPatch) -> bool:
    """A leader is deposed by force; then the topic moves, and its successor ends. Returns whether only the successor could
    write."""
    monkeypatch.setattr("impl.storage.pulsar_log.SEND_SECONDS_MAX", 1)
    token, topic = deployment.token("dpm"), journal_topic("dpm")
    first = kind(deployment, token, topic)
    second = kind(deployment, token, topic, take_over=True)
    try:
        first.lead()
        first.append([ONE])
        second.lead()
        second.append([OTHER])
        for _ in range(2):
            if not is_refused(first):
                return False
            second.append([OTHER])
            with Admin(deployment) as admin:
                admin.unload(topic)
            second.append([OTHER])
        second.close()
        return is_refused(first)
    except (Unreachable, Deposed):
        return False  # the successor could not write
    finally:
        first.close()
        second.close()


def is_refused(log: Log) -> bool:
    """Whether its instance learns at once that it has been deposed."""
    try:
        log.append([LATE])
    except Deposed:
        return True
    except Unreachable:
        return False
    return False


def test_who_is_deposed_stays_so_when_the_topic_moves_and_when_its_successor_goes(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stays_deposed(deployment, PulsarLog, monkeypatch)


@pytest.mark.parametrize("kind", [Shares, Waits, Fences])
def test_a_leader_that_holds_the_topic_otherwise_would_be_noticed(
    deployment: Deployment, kind: type[PulsarLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not stays_deposed(deployment, kind, monkeypatch)


def test_a_leader_goes_on_when_its_topic_moves(deployment: Deployment) -> None:
    log = open_log(deployment, "dpm")
    try:
        log.lead()
        for number in range(3):
            log.append([Entry(str(number), b"x")])
            with Admin(deployment) as admin:
                admin.unload(log.name)
        log.append([ONE])
        assert [entry.key for entry in log.read()] == ["0", "1", "2", "a"]
    finally:
        log.close()


def test_a_topic_is_compacted_and_what_is_not_needed_may_be_thrown_away(deployment: Deployment) -> None:
    log = open_log(deployment, "dpm")
    try:
        log.lead()
        with Admin(deployment) as admin:
            for lap in range(3):
                log.append([Entry(f"{number}", b"%d" % lap) for number in range(20)])
                log.compact()
                end = time.monotonic() + WAIT_SECONDS_MAX
                while not admin.is_compacted(log.name):
                    assert time.monotonic() < end, "the topic was not compacted in time"
                    time.sleep(0.02)
        log.append([ONE])
        # The last lap is compacted too, and the keeper's subscription has passed the one before.
        assert list(log.read()) == [*(Entry(f"{number}", b"2") for number in range(20)), ONE]
        assert kept(deployment, log.name) == 20 + 1 + 1
    finally:
        log.close()


def kept(deployment: Deployment, topic: str) -> int:
    """The number of entries that the keeper of a journal has not passed."""
    with Admin(deployment) as admin:
        stats = admin._call(
            "GET", f"/persistent/{deployment.namespace}/{topic}/stats", params={"getPreciseBacklog": True}
        )
    return int(stats.json()["subscriptions"]["keeper"]["msgBacklog"])


# ------------------------------------------------------------------------------------------------------- store


class Crash(Exception):
    """The instance is killed."""


class Mortal(MemoryLog):
    """A log whose instance may be killed in the middle of an append."""

    entries_left: int | None = None

    def append(self, entries: Sequence[Entry]) -> None:
        if self.entries_left is not None and len(entries) > self.entries_left:
            super().append(entries[: self.entries_left])
            raise Crash
        if self.entries_left is not None:
            self.entries_left -= len(entries)
        super().append(entries)


Run = list[tuple[str, int]]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["decide", "decide", "decide", "mark", "compact", "kill", "depose"]), st.integers(0, 40)
        ),
        max_size=60,
    )
)
@settings(max_examples=200, deadline=None)
def test_whatever_happens_nothing_appended_is_lost(run: Run) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(impl.storage.journal, "PART_BYTES_MAX", 100)
        patch.setattr(impl.storage.journal, "COMPACTION_BYTES_MIN", 1_000)
        follow(run)


def follow(run: Run) -> None:
    """A DPM decides, is killed within an append, or deposed; each successor must have everything that was appended before."""
    journal, random = MemoryJournal("journal-dpm"), Random(1)
    log, store, dpm, unsent = started(journal)
    expected, owed = dpm.snapshot(), list(unsent)
    for what, number in run:
        match what:
            case "decide":
                owed += store.append(decided(dpm, number), dpm)
                expected = dpm.snapshot()
            case "mark":
                sent = [item for item in owed if random.random() < 0.5]
                store.mark_sent(sent)
                owed = [item for item in owed if item not in sent]
            case "compact":
                journal.compact(random.randrange(len(journal.entries) + 1))
            case "kill":
                log.entries_left = number % 4
                before = len(owed)
                try:
                    owed += store.append(decided(dpm, number), dpm)
                    expected = dpm.snapshot()
                except Crash:
                    pass
                log, store, dpm, again = started(journal)
                if dpm.snapshot() != expected:  # the record was complete, and the snapshot after it was not
                    assert len(again) == before + 1
                    expected, owed = dpm.snapshot(), list(again)
                assert again == owed
            case "depose":
                earlier = store
                log, store, dpm, again = started(journal)
                with pytest.raises(Deposed):
                    earlier.append(decided(Dpm(), number), dpm)
                with pytest.raises(Deposed):
                    earlier.confirm()
                assert again == owed
        assert dpm.snapshot() == expected
    _, _, last, again = started(journal)
    assert last.snapshot() == expected
    assert again == owed


def started(journal: MemoryJournal) -> tuple[Mortal, JournalStore, Dpm, Sequence[Any]]:
    """A new instance that has taken over."""
    log = Mortal(journal, take_over=True)
    store, dpm = JournalStore(lambda: log, records_max=4), Dpm()
    return log, store, dpm, store.load(dpm)


def decided(dpm: Dpm, number: int) -> Effects:
    """A decision about one of a few pods."""
    pod, host = Pod("red", f"p{number % 3}"), f"h{number}"
    return dpm.remove(pod) if dpm.place_of(pod) == host else dpm.place(pod, host)


def test_the_log_stays_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impl.storage.journal, "COMPACTION_BYTES_MIN", 1_000)
    journal = MemoryJournal("journal-dpm")
    _, store, dpm, _ = started(journal)
    pod = Pod("red", "p1")
    longest = 0
    for version in range(1, 500):
        store.mark_sent(store.append(Effects({"issue": ["red", "p1"], "version": 1, "place": f"h{version}"}), dpm))
        dpm.apply({"issue": ["red", "p1"], "version": 1, "place": f"h{version}"})
        store.confirm()
        longest = max(longest, sum(len(entry.data) for entry in journal.entries))
    assert dpm.latest(pod) == 1
    assert longest < 3_000


class Lost(MemoryLog):
    """A log that accepts records, but no snapshots for a while."""

    def append(self, entries: Sequence[Entry]) -> None:
        if entries[0].key.startswith("snapshot"):
            raise Unreachable("no answer")
        super().append(entries)


def test_a_snapshot_that_is_not_taken_is_made_up_for_before_anything_is_overwritten(
    caplog: pytest.LogCaptureFixture,
) -> None:
    journal = MemoryJournal("journal-dpm")
    log = Lost(journal, take_over=True)
    store, dpm = JournalStore(lambda: log, records_max=4), Dpm()
    store.load(dpm)
    for number in range(8):
        store.append(decided(dpm, number), dpm)
    with pytest.raises(EnvironmentProblem, match="is full, and accepts no snapshot"):
        store.append(decided(dpm, 8), dpm)
    assert "accepts no snapshot at the moment: no answer" in caplog.text
    _, store, again, _ = started(journal)
    assert sum(again.latest(Pod("red", f"p{number}")) for number in range(3)) == 8
    store.append(decided(again, 9), again)
    assert started(journal)[2].snapshot() == again.snapshot()


class Unfenced(MemoryLog):
    """A log that accepts entries from every instance that has ever led."""

    def append(self, entries: Sequence[Entry]) -> None:
        self._journal.entries += entries


@pytest.mark.parametrize("first_writes", ["before", "behind"])
def test_a_journal_that_two_have_written_at_once_is_refused(first_writes: str) -> None:
    journal = MemoryJournal("journal-dpm")
    logs = [Unfenced(journal, take_over=True) for _ in range(2)]
    stores = [JournalStore(lambda log=log: log) for log in logs]  # type: ignore[misc]
    cores = [Dpm(), Dpm()]
    for store, core in zip(stores, cores, strict=True):
        store.load(core)
    order = (0, 1) if first_writes == "before" else (1, 0)
    for number in order:
        stores[number].append(decided(cores[number], number), cores[number])
    with pytest.raises(BadDeployment, match="two instances wrote to it at once"):
        started(journal)


class Marks(MemoryLog):
    """A log that loses every entry that is not waited for."""

    def append_soon(self, entry: Entry) -> None:
        """Loses the entry."""


def test_a_mark_is_not_lost_if_anything_is_stored_behind_it() -> None:
    """Administrative work must not be repeated after anything depends on it."""
    journal = MemoryJournal("journal-dpm")
    log = Marks(journal, take_over=True)
    store, dpm = JournalStore(lambda: log), Dpm()
    store.load(dpm)
    store.mark_sent(store.append(decided(dpm, 1), dpm))
    assert not any(entry.key == "sent" for entry in journal.entries)
    second = store.append(decided(dpm, 2), dpm)
    assert started(journal)[3] == second


class LoadsFirst(JournalStore):
    """Reads the log before it leads."""

    def load(self, core: Any) -> Any:
        self._log = self._open_log()
        self._restore(core, list(self._log.read()))
        self._log.lead()
        return []


def test_a_store_that_loads_before_it_fences_misses_what_came_in_between() -> None:
    """The same happens without harm to one that fences first: the earlier instance's append is refused."""

    def latest_after_taking_over(kind: type[JournalStore]) -> tuple[int, int]:
        journal = MemoryJournal("journal-dpm")
        _, store, dpm, _ = started(journal)
        late = [decided(dpm, 1)]

        def between() -> None:
            if late:
                store.append(late.pop(), dpm)

        class Log(MemoryLog):
            def lead(self) -> None:
                between()
                super().lead()

        other = kind(lambda: Log(journal, take_over=True))
        core = Dpm()
        other.load(core)
        return dpm.latest(Pod("red", "p1")), core.latest(Pod("red", "p1"))

    assert latest_after_taking_over(JournalStore) == (1, 1)
    assert latest_after_taking_over(LoadsFirst) == (1, 0)


HEAD = b'{"term": 1, "number": 1, "of": 1}\n'


@pytest.mark.parametrize(
    ("entries", "match"),
    [
        ([Entry("record/1/0", b"text")], "is not a journal, or is damaged"),
        (
            [Entry("record/1/0", b'{"term": 1, "number": 2, "of": 1}\n{"change": null, "sends": []}')],
            "record 1 is missing",
        ),
        (
            [
                Entry(
                    "record/1/0",
                    HEAD + b'{"sent": {"through": 0, "unsent": []}, "change": null, "sends": [["a", "b", "!"]]}',
                )
            ],
            "damaged",
        ),
        ([Entry("sent", b'{"term": 1}\n')], "is not a journal, or is damaged"),
    ],
)
def test_a_damaged_journal_is_refused(entries: list[Entry], match: str) -> None:
    journal = MemoryJournal("journal-dpm")
    journal.entries += entries
    with pytest.raises(BadDeployment, match=match):
        started(journal)
