"""A store loses no appended record, and reports what it cannot read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from impl.broker.deployment import Deployment
from impl.core import Effects, Send
from impl.errors import BadDeployment, EnvironmentProblem
from impl.messages import Config, Hello, Pod, Registered
from impl.on_demand.ncm import Channel, Ncm
from impl.storage.journal import JournalStore
from impl.storage.memory_log import MemoryJournal
from impl.storage.pulsar_log import open_log
from impl.storage.store import RECORDS_MAX, MemoryStore, SqliteStore, Store

HOST = Channel("host", "h1")
DPM = Channel("dpm")


def fed(store: Store) -> Ncm:
    """An NCM with a short history in this store."""
    ncm = Ncm()
    assert store.load(ncm) == []
    store.append(ncm.register(Registered("h1")), ncm)
    store.append(ncm.receive(Config(Pod("red", "p1"), 1, "h1"), DPM), ncm)
    store.append(ncm.receive(Hello("h1", 1), HOST), ncm)
    return ncm


Open = Callable[[], Store]
"""Opens the store of one NCM; opened again, it contains what was stored."""


@pytest.fixture(params=["sqlite", "memory", "journal", "journal on pulsar"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Every kind of store."""
    match request.param:
        case "sqlite":
            return lambda: SqliteStore(tmp_path / "ncm.sqlite", "ncm")
        case "memory":
            store = MemoryStore()
            return lambda: store
        case "journal":
            journal = MemoryJournal("journal-ncm")
            return lambda: JournalStore(journal.open)
        case _:
            deployment: Deployment = request.getfixturevalue("deployment")
            return lambda: JournalStore(lambda: open_log(deployment, "ncm"))


def test_a_core_is_loaded_as_it_was_with_what_was_not_published(opened: Open) -> None:
    store = opened()
    ncm = fed(store)
    store.close()
    store, again = opened(), Ncm()
    unpublished = store.load(again)
    assert again.observe() == ncm.observe()
    assert [item.send.topic for item in unpublished] == ["inbox-h1"]
    store.mark_sent(unpublished)
    store.confirm()
    store.close()
    store, again = opened(), Ncm()
    assert store.load(again) == []
    assert again.observe() == ncm.observe()
    store.close()


def test_messages_are_marked_as_sent_one_by_one_in_any_order(opened: Open) -> None:
    store = opened()
    store.load(Ncm())
    sends = tuple(Send("outcomes", Hello("h1", number), str(number)) for number in range(1, 4))
    outgoing = [item for send in sends for item in store.append(Effects(sends=(send,)), Ncm())]
    store.mark_sent([outgoing[1]])
    store.close()
    store = opened()
    assert [item.send for item in store.load(Ncm())] == [sends[0], sends[2]]
    store.close()


def test_what_changes_nothing_is_not_stored(opened: Open) -> None:
    store = opened()
    store.load(Ncm())
    assert store.append(Effects(), Ncm()) == []
    assert len(store.append(Effects(sends=(Send("outcomes", Hello("h1", 1)),)), Ncm())) == 1
    store.close()


def test_records_become_a_snapshot_before_they_grow_too_many(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "ncm.sqlite", "ncm")
    ncm = fed(store)
    for version in range(2, RECORDS_MAX + 20):
        place = "h1" if version % 2 else None
        store.append(Effects(ncm.receive(Config(Pod("red", "p1"), version, place), DPM).record), ncm)
    again = Ncm()
    store.load(again)
    assert again.observe() == ncm.observe()
    store.close()


def test_another_processs_store_is_refused(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "s.sqlite", "ncm").close()
    with pytest.raises(BadDeployment, match="belongs to ncm"):
        SqliteStore(tmp_path / "s.sqlite", "dpm")


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, and long enough to be sure of it\n" * 40)
    with pytest.raises(BadDeployment, match="is not a store of ncm"):
        SqliteStore(tmp_path / "text", "ncm")


def test_a_store_has_one_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process would continue from a state that the first has changed since."""
    monkeypatch.setattr("impl.storage.store.LOCKED_SECONDS_MAX", 0.0)
    store = SqliteStore(tmp_path / "s.sqlite", "ncm")
    with pytest.raises(EnvironmentProblem, match="another process uses this store"):
        SqliteStore(tmp_path / "s.sqlite", "ncm")
    store.close()
    SqliteStore(tmp_path / "s.sqlite", "ncm").close()


def test_a_damaged_store_is_refused(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.sqlite", "ncm")
    store.append(Effects({"do": "register"}), Ncm())
    with pytest.raises(BadDeployment, match="is damaged"):
        store.load(Ncm())
    store.close()


def test_a_store_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDeployment, match="name a file in an existing folder"):
        SqliteStore(tmp_path / "none" / "s.sqlite", "ncm")
