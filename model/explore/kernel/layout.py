"""Packing: which fields of a state are kept, and where they stand in its words.

A field that has one possible value takes no bits. Neither does one that nothing reads: no guard, no effect on a field that is read,
no claim that is checked (history of an agent that no promise speaks of, say). Bit 0 of the first word is always 1, so that no
packed state is zero and zero can mark a free slot of the hash table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.explore.kernel.boolean import Expression, fields_of
from model.explore.kernel.ground import AFTER, Ground
from model.language import Message

WORD_BITS = 64


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a field stands: its word, the place of its lowest bit, its width, and the values that its codes stand for."""

    word: int
    shift: int
    width: int
    values: tuple[int, ...]

    @property
    def mask(self) -> int:
        """The field's bits in its word."""
        return ((1 << self.width) - 1) << self.shift

    def code(self, value: int) -> int:
        """The bits that stand for a value, in place."""
        return self.values.index(value) << self.shift


@dataclass(frozen=True)
class Layout:
    """The slots of the fields that are kept."""

    slots: dict[int, Slot]
    words: int
    bits: int
    """Bits in use, with the one that is always set."""
    constant: int
    """Fields that have one value only."""
    unread: int
    """Fields that nothing reads."""

    def pack(self, fields: Sequence[int]) -> tuple[int, ...]:
        """The words of a state."""
        words = [0] * self.words
        words[0] = 1
        for field, slot in self.slots.items():
            words[slot.word] |= slot.code(fields[field])
        return tuple(words)


def lay_out(ground: Ground, claims: Iterable[Expression], *, everything: bool = False, words_min: int = 1) -> Layout:
    """Packs the fields that matter to the guards, the effects and these claims; with `everything`, all that can change."""
    changing = [field for field, possible in ground.possible.items() if len(possible) > 1]
    read = set(changing) if everything else _read(ground, claims)
    kept = [field for field in changing if field in read]
    slots: dict[int, Slot] = {}
    # Wide fields first, so that none has to cross from one word into the next.
    word, shift = 0, 1
    for field in sorted(kept, key=lambda item: (-_width(ground, item), item)):
        width = _width(ground, field)
        if shift + width > WORD_BITS:
            word, shift = word + 1, 0
        slots[field] = Slot(word, shift, width, tuple(sorted(ground.possible[field])))
        shift += width
    words = max(word + 1, words_min)
    bits = 1 + sum(slot.width for slot in slots.values())
    return Layout(
        {field: slots[field] for field in kept},
        words,
        bits,
        len(ground.places) - len(changing),
        len(changing) - len(kept),
    )


def _width(ground: Ground, field: int) -> int:
    return (len(ground.possible[field]) - 1).bit_length()


def _read(ground: Ground, claims: Iterable[Expression]) -> set[int]:
    """The fields that matter: what claims and guards read, and what decides the value of a field that matters."""
    read: set[int] = set()
    for claim in claims:
        read |= {field % AFTER for field in fields_of(claim)}
    for instance in ground.instances:
        read |= fields_of(instance.guard)
        for _, _, condition in instance.events:
            read |= fields_of(condition)
    decides: dict[int, set[int]] = {}
    for instance in ground.instances:
        for assignment in instance.assignments:
            decides.setdefault(assignment.field, set()).update(fields_of(assignment.condition))
    for field, (symbol, _) in enumerate(ground.places):
        if isinstance(symbol, Message) and len(ground.possible[field]) > 1:
            decides.setdefault(field, set()).update(each_field % AFTER for each_field in fields_of(ground.spent(field)))
    waiting = list(read)
    while waiting:
        for field in decides.get(waiting.pop(), ()):
            if field not in read:
                read.add(field)
                waiting.append(field)
    return read
