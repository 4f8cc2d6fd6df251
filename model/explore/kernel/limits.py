"""What is too large to be grounded. Grounding loops over all combinations of arguments; a loop that would not end is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Final, NoReturn

from model.bad_input import BadInput
from model.language import Eventuality, Promise, Protocol, Sometimes
from model.language.terms import Value
from model.reference.configuration import Configuration
from model.reference.state import Element

TUPLES_MAX: Final = 10_000
"""The maximum number of arguments of one symbol, or choices of one action. The shipped configurations stay below a thousand."""

CLAIMED_MAX: Final = 1_000_000
"""The maximum number of choices of a claim's parameters; a thousand is many."""

FIELDS_MAX: Final = 1_000_000
"""The maximum number of arguments of all symbols together."""


def refuse_what_is_too_large(
    protocol: Protocol, configuration: Configuration, sizes: Mapping[type[Value], Sequence[Element]]
) -> None:
    """Refuses what grounding would not finish in a configuration; `sizes`: the elements of each sort.

    Raises:
        BadInput: with what is too large, and the limit.
    """

    def count(sorts: Sequence[type[Value]]) -> int:
        return prod(len(sizes[sort]) for sort in sorts)

    def refuse(sentence: str, most: int) -> NoReturn:
        raise BadInput(
            f"configuration {configuration.name}: {sentence}, more than the limit of {most:,} for grounding; "
            "use fewer members or lower bounds"
        )

    symbols = [(symbol.name, symbol.arguments) for symbol in protocol.symbols if symbol.kind != "event"]
    actions = [(action.name, tuple(variable.sort for variable in action.parameters)) for action in protocol.actions]
    asked: tuple[Promise | Sometimes | Eventuality, ...] = (
        *protocol.promises,
        *protocol.sometimes,
        *protocol.eventualities,
    )
    claims = [(claim.name, tuple(variable.sort for variable in claim.parameters)) for claim in asked]
    for limited, most in (([*symbols, *actions], TUPLES_MAX), (claims, CLAIMED_MAX)):
        for name, sorts in limited:
            if count(sorts) > most and name not in configuration.without:
                refuse(f"{name} has {count(sorts):,} possible arguments", most)
    fields = sum(count(sorts) for _, sorts in symbols)
    if fields > FIELDS_MAX:
        refuse(f"all symbols together have {fields:,} possible arguments", FIELDS_MAX)
