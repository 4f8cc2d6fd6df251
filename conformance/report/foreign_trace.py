"""A trace of another tool (Quint, Apalache) as a table: one row for each state, with its changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from conformance.report.diagram import printable
from model.bad_input import BadInput
from model.reference.itf import ACTION, PICKS, expect, short

_META: Final = "#meta"
_NOTHING: Final[tuple[object, ...]] = ({"#tup": []}, "U_OF_UNIT")
"""The payload of a variant that has none, as Quint and as Apalache write it."""


def print_foreign(path: Path, data: Mapping[str, Any], console: Console, *, full: bool = False) -> None:
    """Prints the states of a trace. `full`: each whole state, not only the changes.

    Raises:
        BadInput: it is not in the Informal Trace Format; with state and variable.
    """
    names = expect(data.get("vars"), list, f"{path}: vars", "a list of names")
    states = expect(data.get("states"), list, f"{path}: states", "a list of states")
    if not states:
        raise BadInput(f"{path}: states: expected at least one state, found none")
    loop = data.get("loop")
    if loop is not None and (type(loop) is not int or not 0 <= loop < len(states)):
        raise BadInput(f"{path}: loop: expected the index of a state, found {short(loop)}")
    try:
        rows = [_state(state, names, f"{path}: state {index}") for index, state in enumerate(states)]
    except RecursionError as problem:
        raise BadInput(f"{path}: a value is nested too deeply") from problem
    meta = data.get(_META)
    for key in ("source", "description"):
        if isinstance(meta, dict) and key in meta:
            console.print(f"{key}: {printable(str(meta[key]))}", markup=False, highlight=False)
    table = Table(show_lines=True)
    table.add_column("state", justify="right")
    table.add_column("action")
    table.add_column("the whole state" if full else "changes: [green]+ new[/], [red]- gone[/], [yellow]old ⇒ new[/]")
    before: _Row = {}
    for index, (action, row) in enumerate(rows):
        lines = list(_changes({} if full else before, row))
        table.add_row(str(index), escape(action), "\n".join(lines) or "[dim]nothing[/]")
        before = row
    console.print(table)
    if loop is not None:
        console.print(f"Then it goes on as from state {loop}, for ever.", highlight=False)


_Row = dict[str, str | dict[str, str]]
"""The variables of a state: a value, or the parts of one that has parts, by how each is called. A member of a set is a part."""


def _state(state: Any, names: list[Any], where: str) -> tuple[str, _Row]:
    """The action that led to a state, and the state."""
    expect(state, dict, where, "an object")
    missing = [name for name in names if name not in state]
    if missing:
        raise BadInput(f"{where}: {printable(str(missing[0]))}: expected a value, since it is declared in vars")
    variables = {printable(name): value for name, value in state.items() if name not in (_META, ACTION, PICKS)}
    row = {name: _parts(value, f"{where}: {name}") for name, value in variables.items()}
    return _action(state, f"{where}: {PICKS}"), row


def _parts(value: Any, where: str) -> str | dict[str, str]:
    """The value of a variable, in parts if it has parts that change alone."""
    if isinstance(value, dict):
        if "#map" in value:
            return {f"({_text(key, where)})": _text(item, where) for key, item in _pairs(value, where)}
        if "#set" in value:
            return dict.fromkeys((f"({_text(item, where)})" for item in _items(value, "#set", where)), "")
        if _is_record(value):
            return {f".{printable(key)}": _text(item, where) for key, item in value.items()}
    return _text(value, where)


def _text(value: Any, where: str) -> str:
    """A value of the format in one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int):
        return printable(str(value))
    if isinstance(value, list):
        return f"[{', '.join(_text(item, where) for item in value)}]"
    if not isinstance(value, dict):
        raise BadInput(f"{where}: expected a value of the format, found {short(value)}")
    if value.keys() == {"tag", "value"}:
        tag = printable(str(value["tag"]))
        if value["value"] in _NOTHING:
            return tag
        said = _text(value["value"], where)
        return f"{tag}{said}" if said.startswith(("(", "{")) else f"{tag}({said})"
    if _is_record(value):
        return f"{{{', '.join(f'{printable(key)}: {_text(value[key], where)}' for key in sorted(value))}}}"
    if "#bigint" in value or "#unserializable" in value:
        return printable(str(next(iter(value.values()))))
    if "#tup" in value:
        return f"({', '.join(_text(item, where) for item in _items(value, '#tup', where))})"
    if "#set" in value:
        return f"{{{', '.join(sorted(_text(item, where) for item in _items(value, '#set', where)))}}}"
    if "#map" in value:
        said = ", ".join(sorted(f"{_text(key, where)}: {_text(item, where)}" for key, item in _pairs(value, where)))
        return f"{{{said}}}"
    raise BadInput(f"{where}: expected a value of the format, found {short(value)}")


def _is_record(value: Mapping[str, Any]) -> bool:
    return value.keys() != {"tag", "value"} and not any(key.startswith("#") for key in value)


def _items(value: Mapping[str, Any], key: str, where: str) -> list[Any]:
    items: list[Any] = expect(value[key], list, where, f"a list behind {key}")
    return items


def _pairs(value: Mapping[str, Any], where: str) -> list[Any]:
    pairs = _items(value, "#map", where)
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise BadInput(f"{where}: expected pairs of key and value, found {short(pair)}")
    return pairs


def _action(state: Mapping[str, Any], where: str) -> str:
    """The action that led to a state and its choices, if the tool has said so."""
    picks = state.get(PICKS)
    lines = [printable(str(state.get(ACTION, "")))]
    for name, pick in picks.items() if isinstance(picks, dict) else ():
        if isinstance(pick, dict) and pick.get("tag") == "Some" and "value" in pick:
            lines.append(f"  {printable(name)} = {_text(pick['value'], where)}")
    return "\n".join(lines)


def _changes(before: _Row, after: _Row) -> Iterator[str]:
    """The changes of a state, as lines in the markup of `rich`."""
    for name, is_now in after.items():
        was = before.get(name)
        if isinstance(is_now, str):
            if was != is_now:
                yield _changed(name, was if isinstance(was, str) else None, is_now)
            continue
        old = was if isinstance(was, dict) else {}
        if name not in before and not is_now:
            yield _changed(name, None, "empty")
        for part, value in is_now.items():
            if old.get(part) != value:
                yield _changed(f"{name}{part}", old.get(part), value)
        yield from (f"[red]{escape(f'- {name}{part}')}[/]" for part in old if part not in is_now)


def _changed(what: str, was: str | None, is_now: str) -> str:
    if was is None:
        return f"[green]{escape(f'+ {what}: {is_now}' if is_now else f'+ {what}')}[/]"
    return f"[yellow]{escape(f'{what}: {was} ⇒ {is_now}')}[/]"
