"""The differences between two tables of the same mutants, to explain why a check failed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from conformance.mutation.digests import changes
from conformance.mutation.table import Matrix, row_json

ROWS_SHOWN: Final = 10
"""Of the rows that differ, the first ones are named."""


def differences(kept: Matrix, made: Matrix) -> Iterator[str]:
    """A sentence for each input that differs, and for the first rows, each with what was and what is now."""
    yield from changes(kept.inputs, made.inputs)
    rows = list(_rows(kept, made))
    yield from rows[:ROWS_SHOWN]
    if len(rows) > ROWS_SHOWN:
        yield f"and {len(rows) - ROWS_SHOWN} more rows are different"
    if not rows and [row.name for row in kept.rows] != [row.name for row in made.rows]:
        yield "the rows are the same, and stand in another order"
    if kept.checks != made.checks:
        odd = sorted({*kept.checks} ^ {*made.checks})
        yield f"checks: {', '.join(f'{item.kind} {item.name}' for item in odd) or 'they stand in another order'}"


def _rows(kept: Matrix, made: Matrix) -> Iterator[str]:
    old = {row.name: row_json(row) for row in kept.rows}
    new = {row.name: row_json(row) for row in made.rows}
    for name in dict.fromkeys([*old, *new]):
        if name not in new:
            yield f"{name}: in the table, and not made"
        elif name not in old:
            yield f"{name}: made, and not in the table"
        elif old[name] != new[name]:
            yield f"{name}: {'; '.join(_fields(_flat(old[name]), _flat(new[name])))}"


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """What a row says about a mutant, by engine or field."""
    return {**{field: value for field, value in row.items() if field != "answers"}, **row["answers"]}


def _fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for field in dict.fromkeys([*old, *new]):
        was, now = (json.dumps(item.get(field, "nothing"), ensure_ascii=False) for item in (old, new))
        if was != now:
            yield f"{field} was {was} and is {now}"
