"""No two hosts of a VPC ever share a slot, whatever is refused or restarted in between."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from impl.core import Effects, IllegalInput
from impl.errors import BadDeployment
from impl.messages import FIRST_SLOT, LAST_SLOT
from impl.slots.allotment import HOSTS_MAX, Allotment
from impl.slots.hashing import slot_of
from impl.storage.store import SqliteStore


def test_hosts_whose_addresses_share_a_slot_get_slots_of_their_own() -> None:
    allotment = Allotment()
    for host in ("10.0.1.43", "10.0.1.118"):
        allotment.allot("red", host)
    assert slot_of("10.0.1.43") == slot_of("10.0.1.118")
    assert len(set(allotment.hosts("red").values())) == 2


def test_two_hosts_never_share_a_slot_however_they_come_and_go() -> None:
    chance, allotment, present = random.Random(7), Allotment(), set[str]()
    for _ in range(2_000):
        host = f"h{chance.randrange(40)}"
        if host in present and chance.random() < 0.5:
            allotment.release("red", host)
            present.discard(host)
        else:
            allotment.allot("red", host)
            present.add(host)
        slots = allotment.hosts("red")
        assert set(slots) == present
        assert len(set(slots.values())) == len(slots)
        assert all(FIRST_SLOT <= slot <= LAST_SLOT for slot in slots.values())
    assert max(allotment.hosts("red").values()) <= 40  # slots given back are assigned again


def test_a_host_keeps_its_slot_and_has_another_in_another_vpc() -> None:
    allotment = Allotment()
    assert allotment.allot("red", "h1").record is not None
    assert allotment.allot("red", "h1") == Effects()
    allotment.allot("blue", "h0")
    allotment.allot("blue", "h1")
    assert (allotment.slot("red", "h1"), allotment.slot("blue", "h1")) == (1, 2)
    assert allotment.slot("green", "h1") is None


def test_the_65_536th_host_of_a_vpc_is_refused_and_nothing_is_half_done() -> None:
    allotment = Allotment()
    for number in range(HOSTS_MAX):
        allotment.allot("red", f"h{number}")
    before = json.dumps(allotment.snapshot())
    with pytest.raises(BadDeployment, match=r"late: all 65,535 slots of VPC red have a host; release one .* or serve"):
        allotment.allot("red", "late")
    assert json.dumps(allotment.snapshot()) == before
    allotment.allot("blue", "late")
    allotment.release("red", "h77")
    allotment.allot("red", "late")
    assert allotment.slot("red", "late") == 78


def test_what_has_no_slot_cannot_give_it_back() -> None:
    with pytest.raises(IllegalInput, match="h1 has no slot in VPC red"):
        Allotment().release("red", "h1")


@pytest.mark.parametrize("restored", ["records", "snapshot"])
def test_a_restart_keeps_the_slots(tmp_path: Path, restored: str) -> None:
    store, allotment = SqliteStore(tmp_path / "slots.db", "dpm"), Allotment()
    for host in ("h1", "h2", "h3"):
        store.append(allotment.allot("red", host), allotment)
    store.append(allotment.release("red", "h2"), allotment)
    store.close()
    again, store = Allotment(), SqliteStore(tmp_path / "slots.db", "dpm")
    if restored == "records":
        store.load(again)
    else:
        again.restore(json.loads(json.dumps(allotment.snapshot())))
    store.close()
    assert again.hosts("red") == {"h1": 1, "h3": 3}
    again.allot("red", "h4")
    again.allot("red", "h5")
    assert again.hosts("red") == {"h1": 1, "h3": 3, "h4": 2, "h5": 4}
