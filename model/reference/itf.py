"""Trace files in the Informal Trace Format, with the action and choices of each step in Quint's convention.

Besides the format's own keys, `#meta` makes a trace self-contained: it holds the protocol with its digest, and the configuration.
Reading a trace checks every step: it is enabled, and leads to the state that the file shows (with or without spent messages).

A lasso has the key `loop`: the index of the state that equals the last one, so that every step of the loop has its action. Its
configuration also lists the actions left out, since only the remaining ones must be treated fairly.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any, Final

import msgspec

from model.bad_input import BadInput
from model.language import Protocol, Symbol
from model.language.terms import Formula, Number, Value
from model.reference.configuration import Configuration, parse
from model.reference.interpreter import interpreter_of
from model.reference.state import Element, Occurrence, State, Trace, Tuple, elements

BYTES_MAX: Final = 64_000_000
"""The maximum size of a trace file; the largest file of this project has a hundredth of it."""

SUFFIX: Final = ".itf.json"
FORMAT: Final = "https://apalache-mc.org/docs/adr/015adr-trace.html"
ACTION: Final = "mbt::actionTaken"
PICKS: Final = "mbt::nondetPicks"
NONE: Final = {"tag": "None", "value": {"#tup": []}}


# ----------------------------------------------------------------------------------------------------- writing


def write(trace: Trace, path: Path, protocol: Protocol, *, meta: Mapping[str, Any] | None = None) -> None:
    """Writes a trace of this protocol (with its variant, if the trace is of one). `meta` is added to the file's `#meta`."""
    path.write_text(dumps(trace, protocol, meta=meta), encoding="utf-8")


def dumps(trace: Trace, protocol: Protocol, *, meta: Mapping[str, Any] | None = None) -> str:
    """The text of a trace file, with one line per state so that diffs are readable."""
    symbols = _symbols(protocol)
    picks = _picks(protocol)
    about = {
        "format": "ITF",
        "format-description": FORMAT,
        "source": protocol.name,
        "description": trace.description,
        "digest": protocol.digest(),
        "configuration": _configuration(trace.configuration, all_of_it=trace.loop is not None),
        "varTypes": {
            **{symbol.name: _type(symbol) for symbol in symbols},
            ACTION: "Str",
            PICKS: "{ " + ", ".join(f"{name}: None(UNIT) | Some({kind})" for name, kind in picks.items()) + " }",
        },
        **(meta or {}),
    }
    lines = []
    for index, state in enumerate(trace.states):
        step = trace.steps[index - 1] if index else None
        shown: dict[str, Any] = {"#meta": {"index": index}}
        shown |= {symbol.name: _value(symbol, state) for symbol in symbols}
        shown[ACTION] = step.action if step else "init"
        chosen = dict(step.choices) if step else {}
        shown[PICKS] = {
            name: {"tag": "Some", "value": _element(chosen[name])} if name in chosen else NONE for name in picks
        }
        lines.append(json.dumps(shown, ensure_ascii=False))
    head = json.dumps(about, ensure_ascii=False)
    names = json.dumps([*(symbol.name for symbol in symbols), ACTION, PICKS])
    loop = "" if trace.loop is None else f' "loop": {trace.loop},\n'
    return f'{{"#meta": {head},\n "vars": {names},\n{loop} "states": [\n  ' + ",\n  ".join(lines) + "]}\n"


def _symbols(protocol: Protocol) -> list[Symbol]:
    return [symbol for symbol in protocol.symbols if symbol.kind != "event"]


def _picks(protocol: Protocol) -> dict[str, str]:
    """Every choice of the protocol, with its type."""
    found: dict[str, str] = {}
    for action in protocol.actions:
        for variable in action.parameters:
            kind = _sort_type(variable.sort)
            if found.setdefault(variable.name, kind) != kind:
                raise TypeError(f"{action.name}: the choice {variable.name} has a different type in another action")
    return dict(sorted(found.items()))


def _sort_type(sort: type[Value]) -> str:
    return "Int" if issubclass(sort, Number) else "Str"


def _type(symbol: Symbol) -> str:
    sorts = [_sort_type(sort) for sort in symbol.arguments]
    key = sorts[0] if len(sorts) == 1 else f"<<{', '.join(sorts)}>>"
    return f"Set({key})" if symbol.result is Formula else f"{key} -> {_sort_type(symbol.result)}"


def _element(value: Element) -> Any:
    return {"#bigint": str(value)} if isinstance(value, int) else value


def _key(key: Tuple) -> Any:
    return _element(key[0]) if len(key) == 1 else {"#tup": [_element(value) for value in key]}


def _value(symbol: Symbol, state: State) -> Any:
    if symbol.result is Formula:
        return {"#set": [_key(key) for key in sorted(state.relations[symbol.name])]}
    table = state.functions[symbol.name]
    return {"#map": [[_key(key), _element(table[key])] for key in sorted(table)]}


def _configuration(configuration: Configuration, *, all_of_it: bool) -> dict[str, Any]:
    """The configuration in the form of its file. Unless `all_of_it`, without the fields that only guide exploration."""
    constants: dict[str, Any] = {}
    for name, chosen in configuration.constants.items():
        if isinstance(chosen, Mapping):
            constants[name] = {",".join(map(str, key)): value for key, value in sorted(chosen.items())}
        else:
            constants[name] = [list(key) for key in sorted(chosen)]
    forbidden: dict[str, Any] = {}
    if all_of_it:
        only = {name: [",".join(pattern) for pattern in patterns] for name, patterns in configuration.only.items()}
        forbidden = {"without": sorted(configuration.without), "only": only}
    return {
        "name": configuration.name,
        **forbidden,
        "sorts": {sort: list(members) for sort, members in configuration.sorts.items()},
        "bounds": dict(configuration.bounds),
        "constants": constants,
    }


# ----------------------------------------------------------------------------------------------------- reading


def read(path: Path, protocol: Protocol) -> Trace:
    """Reads a trace of the protocol, or of the protocol with one of its variants, and checks every step.

    Raises:
        BadInput: with file, step and field, and what was expected.
    """
    return read_with_meta(path, protocol)[0]


def read_with_meta(path: Path, *protocols: Protocol) -> tuple[Trace, dict[str, Any], Protocol]:
    """The same for a trace of one of several protocols; also returns the file's `#meta`, and the protocol with its variant."""
    data = load(path)
    meta = expect(data.get("#meta"), dict, f"{path}: #meta", "an object")
    stated = source_of(data, protocols)
    if stated is None:
        names = " or ".join(repr(protocol.name) for protocol in protocols)
        raise BadInput(f"{path}: #meta.source: expected {names}, alone or with a variant, found {meta.get('source')!r}")
    given = dict(expect(meta.get("configuration"), dict, f"{path}: #meta.configuration", "an object"))
    name = given.pop("name", "trace")
    configuration = parse(str(name), given, stated, place=f"{path}: #meta.configuration")
    trace = _Reader(path, stated, configuration).trace(data)
    description = str(meta.get("description", ""))
    return replace(trace, protocol=stated.name, description=description), meta, stated


def source_of(data: Mapping[str, Any], protocols: Iterable[Protocol]) -> Protocol | None:
    """The protocol, with its variant, that a trace file says it is of; None: it is of none of these."""
    meta = data.get("#meta")
    source = meta.get("source") if isinstance(meta, dict) else None
    for protocol in protocols:
        for variant in (None, *protocol.variants):
            stated = protocol if variant is None else protocol.with_variant(variant)
            if stated.name == source:
                return stated
    return None


def load(path: Path) -> dict[str, Any]:
    """The content of a trace file, of any origin.

    Raises:
        BadInput: it cannot be read, is too large, or is no JSON object.
    """
    try:
        if path.stat().st_size > BYTES_MAX:
            raise BadInput(f"{path}: is larger than the limit of {BYTES_MAX} bytes for a trace file")
        data = _decoded(path.read_bytes())
    except OSError as problem:
        raise BadInput(f"{path}: cannot be read ({problem.strerror}); name an existing trace file") from problem
    except json.JSONDecodeError as problem:
        sentence = f"is not JSON ({problem.msg}); a file of this name is read as an ITF file"
        raise BadInput(f"{path}: line {problem.lineno}: {sentence}") from problem
    except (UnicodeDecodeError, RecursionError) as problem:
        raise BadInput(f"{path}: is not a trace in JSON ({type(problem).__name__})") from problem
    found = expect(data, dict, str(path), "an object with #meta, vars and states")
    assert isinstance(found, dict)
    return found


def _decoded(raw: bytes) -> Any:
    """Text as JSON. If it is malformed, the slower of two readers reports the error."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return json.loads(raw.decode("utf-8"))


def expect(value: Any, kind: type, where: str, what: str) -> Any:
    """The value, if it is of this kind.

    Raises:
        BadInput: it is not; `what` says what was expected.
    """
    if not isinstance(value, kind):
        raise BadInput(f"{where}: expected {what}, found {short(value)}")
    return value


def short(value: Any) -> str:
    """A value as JSON, cut if it is long."""
    text = json.dumps(value, ensure_ascii=False) if value is not None else "nothing"
    return text if len(text) <= 80 else f"{text[:77]}..."


class _Reader:
    def __init__(self, path: Path, protocol: Protocol, configuration: Configuration) -> None:
        self._path = path
        self._protocol = protocol
        self._configuration = configuration
        self._interpreter = interpreter_of(protocol, configuration)
        self._sorts: dict[type[Value], tuple[bool, frozenset[Element]]] = {}
        """For each sort seen so far: whether it is a number, and its members."""
        self._symbols = _symbols(protocol)
        self._actions = {action.name: action for action in protocol.actions}

    def trace(self, data: Mapping[str, Any]) -> Trace:
        names = [*(symbol.name for symbol in self._symbols), ACTION, PICKS]
        given_names = [str(name) for name in expect(data.get("vars"), list, f"{self._path}: vars", "a list of names")]
        if sorted(given_names) != sorted(names):
            given = set(given_names)
            missing, extra = sorted(set(names) - given), sorted(given - set(names))
            raise BadInput(f"{self._path}: vars: missing {missing or 'none'}, unknown {extra or 'none'}")
        shown = expect(data.get("states"), list, f"{self._path}: states", "a list of states")
        if not shown:
            raise BadInput(f"{self._path}: states: expected at least one state, found none")
        states: list[State] = []
        steps: list[Occurrence] = []
        for number, entry in enumerate(shown):
            where = f"{self._path}: step {number}"
            expect(entry, dict, where, "an object")
            unknown = sorted(set(entry) - {"#meta", *names})
            if unknown:
                raise BadInput(f"{where}: {unknown[0]}: is not declared in vars")
            state = self._state(entry, where)
            if number:
                step = self._step(entry, where)
                self._check(states[-1], step, state, where)
                steps.append(step)
            elif entry.get(ACTION) != "init":
                raise BadInput(f'{where}: {ACTION}: expected "init", found {short(entry.get(ACTION))}')
            states.append(state)
        loop = data.get("loop")
        if loop is not None and (type(loop) is not int or not 0 <= loop < len(states) or states[loop] != states[-1]):
            raise BadInput(
                f"{self._path}: loop: expected the index of a state equal to the last one, found {short(loop)}"
            )
        return Trace(self._protocol.name, self._configuration, tuple(states), tuple(steps), loop=loop)

    def _check(self, before: State, step: Occurrence, shown: State, where: str) -> None:
        interpreter = self._interpreter
        if not interpreter.is_enabled(before, step):
            raise BadInput(f"{where}: {step} is not enabled here: {interpreter.why_not(before, step)}")
        after, _ = interpreter.apply(before, step)
        forgotten = interpreter.forget_spent(after)
        for symbol in self._symbols:
            name = symbol.name
            if symbol.result is Formula:
                found: Any = shown.relations[name]
                allowed: tuple[Any, ...] = (after.relations[name], forgotten.relations[name])
            else:
                found, allowed = shown.functions[name], (after.functions[name],)
            if found not in allowed:
                raise BadInput(f"{where}: {name}: {step} leads to a value other than the one shown")

    def _step(self, shown: Mapping[str, Any], where: str) -> Occurrence:
        name = shown.get(ACTION)
        action = self._actions.get(name) if isinstance(name, str) else None
        if action is None:
            raise BadInput(f"{where}: {ACTION}: expected an action of {self._protocol.name}, found {short(name)}")
        picks = expect(shown.get(PICKS), dict, f"{where}: {PICKS}", "a record of choices")
        choices = []
        for variable in action.parameters:
            pick = picks.get(variable.name)
            field = f"{where}: {PICKS}.{variable.name}"
            if not isinstance(pick, dict) or pick.get("tag") != "Some" or "value" not in pick:
                raise BadInput(f"{field}: expected a value, since it is a choice of {action.name}, found {short(pick)}")
            choices.append((variable.name, self._read(pick["value"], variable.sort, field)))
        return Occurrence(action.name, tuple(choices))

    def _state(self, shown: Mapping[str, Any], where: str) -> State:
        relations: dict[str, frozenset[Tuple]] = {}
        functions: dict[str, Mapping[Tuple, Element]] = {}
        for symbol in self._symbols:
            field = f"{where}: {symbol.name}"
            value = expect(shown.get(symbol.name), dict, field, "a set or a map")
            if symbol.result is Formula:
                members = expect(value.get("#set"), list, field, 'a set {"#set": [...]}')
                keys = [self._tuple(member, symbol, field) for member in members]
                relations[symbol.name] = frozenset(keys)
            else:
                pairs = expect(value.get("#map"), list, field, 'a map {"#map": [...]}')
                functions[symbol.name] = self._table(pairs, symbol, field)
        return State(relations, functions)

    def _table(self, pairs: list[Any], symbol: Symbol, field: str) -> dict[Tuple, Element]:
        table: dict[Tuple, Element] = {}
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2:
                raise BadInput(f"{field}: expected pairs of key and value, found {short(pair)}")
            key = self._tuple(pair[0], symbol, field)
            if key in table:
                raise BadInput(f"{field}: the key {short(pair[0])} occurs twice")
            table[key] = self._read(pair[1], symbol.result, field)
        if len(table) != prod(len(elements(sort, self._configuration)) for sort in symbol.arguments):
            raise BadInput(f"{field}: expected a value for every key, found {len(table)}")
        return table

    def _tuple(self, value: Any, symbol: Symbol, field: str) -> Tuple:
        if len(symbol.arguments) == 1:
            return (self._read(value, symbol.arguments[0], field),)
        parts = value.get("#tup") if isinstance(value, dict) else None
        if not isinstance(parts, list) or len(parts) != len(symbol.arguments):
            raise BadInput(f"{field}: expected tuples of {len(symbol.arguments)}, found {short(value)}")
        return tuple(self._read(part, sort, field) for part, sort in zip(parts, symbol.arguments, strict=True))

    def _read(self, value: Any, sort: type[Value], field: str) -> Element:
        found: Any = value
        if sort not in self._sorts:
            self._sorts[sort] = issubclass(sort, Number), frozenset(elements(sort, self._configuration))
        is_number, members = self._sorts[sort]
        if is_number:
            digits = value.get("#bigint") if isinstance(value, dict) else value
            try:
                found = int(digits) if isinstance(digits, str | int) and not isinstance(digits, bool) else None
            except ValueError:
                found = None
        if not isinstance(found, str | int) or found not in members:
            among = elements(sort, self._configuration)
            raise BadInput(f"{field}: expected a {sort.title} among {_among(among)}, found {short(value)}")
        return found


def _among(values: tuple[Element, ...]) -> str:
    return ", ".join(map(str, values)) if len(values) <= 12 else f"{values[0]} to {values[-1]}"
