"""Packing: which fields of a state are kept, and their positions in its words.

A field with only one possible value takes no bits. Neither does a field that nothing reads: no guard, no effect on a field that is
read, no checked claim (such as history of an agent that no promise covers). Bit 0 of the first word is always 1, so that no packed
state is zero and zero can mark a free slot of the hash table.
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
    """The position of a field: its word, lowest bit, width, and the values of its codes."""

    word: int
    shift: int
    width: int
    values: tuple[int, ...]

    @property
    def mask(self) -> int:
        """The field's bits in its word."""
        return ((1 << self.width) - 1) << self.shift

    def code(self, value: int) -> int:
        """The bits that represent a value, in position."""
        return self.values.index(value) << self.shift


@dataclass(frozen=True)
class Layout:
    """The slots of the fields that are kept."""

    slots: dict[int, Slot]
    words: int
    bits: int
    """Bits in use, including the one that is always set."""
    constant: int
    """Fields with only one value."""
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
    """Packs the fields that guards, effects and these claims read; with `everything`, all that can change."""
    changing = [field for field, possible in ground.possible.items() if len(possible) > 1]
    read = set(changing) if everything else _read(ground, claims)
    kept = [field for field in changing if field in read]
    slots: dict[int, Slot] = {}
    # Wide fields first, so that none crosses a word boundary.
    word, shift = 0, 1
    for field in sorted(kept, key=lambda field: (-_width(ground, field), field)):
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
    """The relevant fields: those that claims and guards read, and those that decide the value of a relevant field."""
    read: set[int] = set()
    for claim in claims:
        read |= {field % AFTER for field in fields_of(claim)}
    for instance in ground.instances:
        read |= fields_of(instance.guard)
        for _, _, condition in instance.events:
            read |= fields_of(condition)
    for step in ground.cuts:
        read |= fields_of(step.condition)
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
