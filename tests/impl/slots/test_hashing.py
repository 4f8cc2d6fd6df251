"""The hash that maps keys to slots, compared with vectors computed with the broker's own library."""

from __future__ import annotations

import pytest

from impl.messages import FIRST_SLOT, LAST_SLOT
from impl.slots.hashing import SLOTS, key_for, murmur3, slot_of

VECTORS = [
    # key, its hash, its slot, and the slot of that slot's decimal text, which is what the original sends to an agent.
    ("192.168.1.1", 4253952048, 10288, 1735),
    ("192.168.1.2", 1071034940, 45628, 15628),
    ("192.168.1.3", 3511749820, 3260, 55060),
    ("10.0.0.1", 3963167075, 8547, 55401),
    ("10.0.0.2", 3662476071, 62247, 34259),
    ("172.17.0.2", 1046047378, 27282, 61466),
    ("172.17.0.3", 2085836445, 22173, 64106),
    ("10.0.1.43", 3594103791, 44015, 50881),
    ("10.0.1.118", 1229630447, 44015, 50881),
    ("9192a4d4-ffff-4ece-b3f0-8d36e3d88001", 842908271, 49775, 30562),
    ("3dda2801-d675-4688-a63f-dcda8d327f50", 1224365037, 21485, 16824),
]


@pytest.mark.parametrize(("key", "hashed", "slot", "twice"), VECTORS)
def test_a_key_goes_to_the_slot_of_its_single_hash(key: str, hashed: int, slot: int, twice: int) -> None:
    assert murmur3(key.encode()) == hashed
    assert slot_of(key) == slot
    assert slot_of(str(slot)) == twice
    assert twice != slot


def test_slot_0_is_slot_1() -> None:
    assert murmur3(b"10.0.61.87") % SLOTS == 0
    assert slot_of("10.0.61.87") == 1


@pytest.mark.parametrize(
    ("data", "hashed"), [(b"", 0), (b"a", 0x3C2569B2), (b"abc", 0xB3DD93FA), (b"abcd", 0x43ED676A)]
)
def test_every_length_of_the_last_block_is_hashed(data: bytes, hashed: int) -> None:
    assert murmur3(data) == hashed


def test_there_is_a_key_for_every_slot() -> None:
    wrong = [slot for slot in range(FIRST_SLOT, LAST_SLOT + 1) if slot_of(key_for(slot)) != slot]
    assert wrong == []
    assert {len(key_for(slot)) for slot in (FIRST_SLOT, LAST_SLOT)} == {4}


@pytest.mark.parametrize("slot", [-1, 0, SLOTS])
def test_no_key_is_looked_up_for_what_is_no_slot(slot: int) -> None:
    with pytest.raises(ValueError, match=f"no key goes to slot {slot}; slots are 1 to 65535"):
        key_for(slot)


def test_the_first_two_addresses_that_share_a_slot_are_372_apart() -> None:
    """Hosts 10.0.0.1, 10.0.0.2, ...: with keys made of addresses, a VPC of 372 hosts has two that share a slot."""
    seen: dict[int, str] = {}
    for number in range(372):
        address = f"10.0.{number // 254}.{number % 254 + 1}"
        other = seen.setdefault(slot_of(address), address)
    assert (other, address) == ("10.0.1.43", "10.0.1.118")
