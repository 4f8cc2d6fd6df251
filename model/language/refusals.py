"""What is refused, in sentences: what was given, and what is expected."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping


def a_value(of: object) -> str:
    """What something is, in a sentence: `an epoch`."""
    return of_sort(type(of))


def of_sort(sort: type) -> str:
    """The same of what is of a sort, or of another class."""
    title = getattr(sort, "title", None)
    name = title if isinstance(title, str) else sort.__name__
    return f"an {name}" if name[0].lower() in "aeiou" else f"a {name}"


def refuse_other(given: Iterable[object], kinds: tuple[type, ...], what: str) -> None:
    """Raises a TypeError if something is none of these kinds. `what` each of them is, in a sentence."""
    for value in given:
        if not isinstance(value, kinds):
            raise TypeError(f"{what}, not {a_value(value)}")


def refuse_misfits(what: str, values: Iterable[object], sorts: Iterable[type]) -> None:
    """Raises a TypeError if a value is not of its sort. `what` takes them, in a sentence."""
    for value, sort in zip(values, sorts, strict=False):
        if type(value) is not sort:
            raise TypeError(f"{what} takes {of_sort(sort)}, not {a_value(value)}")


def in_order(
    declared: Callable[..., object], arguments: tuple[object, ...], named: Mapping[str, object]
) -> tuple[object, ...]:
    """The arguments of a declaring function in the order of its parameters.

    Raises:
        TypeError: it has other parameters.
    """
    try:
        given = inspect.signature(declared).bind(*arguments, **named)
    except TypeError as problem:
        raise TypeError(f"{declared.__name__}: {problem}") from None
    given.apply_defaults()
    return given.args
