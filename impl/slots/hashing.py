"""The slot of a key: the broker hashes the key once, and the hash selects one of 65 536 slots.

The broker computes Murmur3 (32 bits, seed 0) over the bytes of a message's key, clears the sign bit, and takes the remainder modulo
the number of slots. It uses slot 0 as "not set": a key of slot 0 goes to slot 1, and a consumer of slot 0 receives nothing.

The rounds of the hash are written once, for a single number and for an array of numbers: the table of keys needs a million.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from impl.messages import FIRST_SLOT, LAST_SLOT

SLOTS: Final = 65_536
"""Slots of a key-shared subscription, as the broker counts them."""

_WORD: Final = 0xFFFFFFFF
_FIRST, _SECOND, _ADDED, _THIRD, _FOURTH = 0xCC9E2D51, 0x1B873593, 0xE6546B64, 0x85EBCA6B, 0xC2B2AE35
"""The constants of Murmur3, 32 bits (Austin Appleby's reference, in the public domain)."""

_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
"""Thirty-two characters that are easy to read in a log; four of them make a million keys."""

_KEY_LENGTH: Final = 4

Words = Any
"""32-bit words, each with room for a product above it: a number, or an array of numbers. The types do not express that a result
has the kind of its operand."""


def _rotated(words: Words, by: int) -> Words:
    return (words << by | words >> (32 - by)) & _WORD


def _scrambled(block: Words) -> Words:
    return _rotated(block * _FIRST & _WORD, 15) * _SECOND & _WORD


def _absorbed(block: Words, into: Words) -> Words:
    return _rotated(into ^ _scrambled(block), 13) * 5 + _ADDED & _WORD


def _finished(words: Words, length: int) -> Words:
    words = words ^ length
    words = (words ^ words >> 16) * _THIRD & _WORD
    words = (words ^ words >> 13) * _FOURTH & _WORD
    return words ^ words >> 16


def murmur3(data: bytes) -> int:
    """The hash of the bytes: an unsigned number of 32 bits."""
    words = 0
    whole = len(data) - len(data) % 4
    for start in range(0, whole, 4):
        words = _absorbed(int.from_bytes(data[start : start + 4], "little"), words)
    words ^= _scrambled(int.from_bytes(data[whole:], "little"))
    hashed: int = _finished(words, len(data))
    return hashed


@lru_cache(maxsize=4_096)
def slot_of(key: str) -> int:
    """The slot that the broker delivers a key to, from 1 to 65 535."""
    return (murmur3(key.encode()) & 0x7FFFFFFF) % SLOTS or FIRST_SLOT


def key_for(slot: int) -> str:
    """A key of four characters that maps to the slot.

    Raises:
        ValueError: no key maps to such a slot.
    """
    if not FIRST_SLOT <= slot <= LAST_SLOT:
        raise ValueError(f"no key goes to slot {slot}; slots are {FIRST_SLOT} to {LAST_SLOT}")
    return _text(int(_table()[slot]))


@cache
def _table() -> NDArray[np.int64]:
    """For each slot, the number of a key that maps to it; computed once, in 0.1 s."""
    numbers = np.arange(len(_ALPHABET) ** _KEY_LENGTH, dtype=np.uint64)
    letters = np.frombuffer(_ALPHABET.encode(), np.uint8).astype(np.uint64)
    blocks = np.zeros_like(numbers)
    for place in range(_KEY_LENGTH):
        blocks |= letters[_letter(numbers, place)] << 8 * place
    slots = _finished(_absorbed(blocks, np.zeros_like(blocks)), _KEY_LENGTH) % SLOTS
    table = np.full(SLOTS, -1, np.int64)
    table[slots] = numbers
    # A million keys miss one of 65 536 slots with a probability below one percent; these keys miss none, as a test
    # checks.
    return table


def _text(number: int) -> str:
    return "".join(_ALPHABET[_letter(number, place)] for place in range(_KEY_LENGTH))


def _letter(number: Words, place: int) -> Words:
    """The letter of the alphabet at a place of the key with this number."""
    return number >> 5 * place & 31
