"""The schema of an event log line, derived from the protocols' declarations: events, parameters, messages, entries of state.

Checking a line should take less than a microsecond. So each event, message and symbol gets one compiled predicate; only if it
rejects a line does slow code look for the field and write the sentence.

| sort | in a log |
|---|---|
| host, VPC | its name |
| pod | `vpc/address` |
| request | `epoch.number` |
| number | an integer, 0 or more |
| enumeration | the member's name |
| formula | true or false; at the end of an entry of state |

A parameter may be missing, since logs may be incomplete: validation then infers it. Parameters, messages and state that the
protocol does not declare are errors, and so are values of another sort.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from conformance.logs.names import RECORDED, REMEMBERED_MAX, Lookup
from impl.cli.console import no_such
from impl.events.event_schema import NUMBER, STUTTERS, TEXT
from impl.events.line import Line
from impl.messages import HOST_NAME
from model.language import Message, Protocol, Symbol
from model.language.terms import Enumeration, Formula, Individual, Number, Value
from spec.on_demand.vocabulary import Host, Pod, Request, Vpc

Test = Callable[[Any], object]
"""Whether something is as declared, by truth value; may raise one of `UNFIT` for a wrong type."""


class Text(Individual):
    """Free text for people."""


UNFIT: Final = (LookupError, TypeError, AttributeError, ValueError)
"""Raised by a test if something is missing, unknown or of another type; `Vocabulary.fault` says what."""

PROCESS: Final = re.compile(rf"dpm|ncm|aca/{HOST_NAME.pattern}")
"""Names of processes that may keep a log."""

_PLACE_MAX: Final = 25
"""Upper bound for the length of `sequence.index` in a message id."""

_SORTS: Final[Mapping[str, type[Value]]] = {
    "host": Host,
    "vpc": Vpc,
    "pod": Pod,
    "request": Request,
    NUMBER: Number,
    TEXT: Text,
}
"""The sort of a stutter's attribute, by the kind that the implementation declares."""

_FORMS: Final[Mapping[type[Value], tuple[re.Pattern[str], str]]] = {
    Host: (HOST_NAME, "a host's name"),
    Pod: (re.compile(r"[^/\s]+/[^/\s]+"), "a pod as vpc/address"),
    Text: (re.compile(r".*", re.DOTALL), "text"),
    Request: (re.compile(r"[0-9]{1,20}\.[0-9]{1,20}"), "a request as epoch.number"),
}
_ANY_NAME: Final = (re.compile(r"\S+"), "a name")

REQUESTS_REMEMBERED_MAX: Final = 1 << 8
"""Like `REMEMBERED_MAX`, for requests: each is named by a few lines close together, and never again."""

Fault = tuple[str, str]
"""A field, as a path within the line, and what is wrong with it."""


class _Names(dict[Any, Any]):
    """Well-formed names of a sort seen so far, so that the usual case costs one look-up."""

    def __init__(self, form: re.Pattern[str], most: int | None = None) -> None:
        super().__init__()
        self._form = form
        self._most = most

    def admits(self, value: object) -> bool:
        """Whether a value is such a name; remembers it if so."""
        if not isinstance(value, str) or self._form.fullmatch(value) is None:
            return False
        if len(self) >= (self._most or REMEMBERED_MAX):
            self.clear()
        self[value] = value
        return True

    def __missing__(self, value: object) -> object:
        """The value itself if it is such a name. Raises `ValueError` if not."""
        if not self.admits(value):
            raise ValueError(value)
        return value


def _host_of(process: str) -> str:
    """The host of an agent's process; for other processes the empty string, which is no host name."""
    role, _, host = process.partition("/")
    return host if role == "aca" else ""


class Vocabulary:
    """The event schema of the recorded protocols, and the check of lines against it."""

    def __init__(self, protocols: Sequence[Protocol] = RECORDED) -> None:
        self._names: dict[str, _Names] = {}
        """Sets of names that the compiled predicates refer to."""
        self._processes = _Names(PROCESS)
        self._hosts = Lookup(_host_of)
        self._runs = _Names(re.compile(rf"(?:{PROCESS.pattern}):[0-9a-f]{{16}}"))
        self._parameters: dict[str, dict[str, type[Value]]] = {}
        self._declared: dict[str, tuple[Mapping[str, Message[Any]], Mapping[str, Symbol]]] = {}
        """By event: the messages and the state symbols that its lines may name."""
        self._actors: dict[str, str] = {}
        """By event: the role that takes the step: `dpm`, `ncm`, or `aca`, whose first parameter is its own host."""
        self.fits: dict[str, Test] = {}
        """By event: a test whether a line matches the schema. It may raise one of `UNFIT` for values of a wrong type."""
        self.heads: dict[str, Test] = {}
        """The same without messages and state, for callers that compare these with the model anyway."""
        everywhere: tuple[dict[str, Message[Any]], dict[str, Symbol]] = ({}, {})
        for protocol in protocols:
            messages = {message.name: message for message in protocol.messages}
            kept = {symbol.name: symbol for symbol in protocol.symbols if symbol.kind == "state"}
            everywhere[0].update({f"{protocol.name}.{name}": message for name, message in messages.items()})
            everywhere[1].update({f"{protocol.name}.{name}": symbol for name, symbol in kept.items()})
            sent = {name: self._message(message) for name, message in messages.items()}
            state = {name: self._entries(symbol) for name, symbol in kept.items()}
            for action in protocol.actions:
                event = f"{protocol.name}.{action.name}"
                self._parameters[event] = {parameter.name: parameter.sort for parameter in action.parameters}
                self._actors[event] = "aca" if action.role.each is Host else action.role.name.lower()
                self._declared[event] = messages, kept
                self._line(event, list(self._parameters[event]), sent, state)
        sent = {name: self._message(message) for name, message in everywhere[0].items()}
        state = {name: self._entries(symbol) for name, symbol in everywhere[1].items()}
        for event, stutter in STUTTERS.items():
            self._parameters[event] = {name.rstrip("?"): _SORTS[kind] for name, kind in stutter.attributes.items()}
            self._declared[event] = everywhere
            always = [name for name in stutter.attributes if not name.endswith("?")]
            self._line(event, always, sent, state)

    @property
    def events(self) -> list[str]:
        """All event names."""
        return list(self.fits)

    def parameters(self, event: str) -> Mapping[str, type[Value]]:
        """The parameters of an event's action, or the attributes of a stutter, with their sorts."""
        return self._parameters[event]

    # ------------------------------------------------------------------------------------------------- the fast path

    def accepts(self, line: Line) -> bool:
        """Whether the line matches the schema completely; if not, `fault` may still find only missing parameters."""
        try:
            return bool(self.fits[line.event](line))
        except UNFIT:
            return False

    def _is_id(self, taken: str) -> bool:
        """Equivalent to `MESSAGE_ID.fullmatch`, in a third of the time."""
        head, _, place = taken.rpartition(":")
        number, _, index = place.partition(".")
        if (head in self._runs or self._runs.admits(head)) and number.isdecimal() and index.isdecimal():
            return len(place) < _PLACE_MAX and number[0] != "0" and place.isascii()
        return False

    def _line(self, event: str, always: Sequence[str], sent: Mapping[str, Test], state: Mapping[str, Test]) -> None:
        """Compiles the tests for lines of this event, in which the parameters `always` are mandatory."""
        parameters, actor = self._parameters[event], self._actors.get(event)
        lines = ["a = line.attributes"]
        for place, name in enumerate(always):
            lines += self._attribute(place, name, parameters[name])
        optional = [name for name in parameters if name not in always]
        for name in optional:
            lines.append(f"if {name!r} in a and not {self._test(parameters[name], f'a[{name!r}]')}: return False")
        count = " + ".join([str(len(always)), *(f"({name!r} in a)" for name in optional)])
        lines += [f"if len(a) != {count} or line.sequence < 1: return False", "process = line.process"]
        if actor is None:
            lines.append("if process not in processes and not processes.admits(process): return False")
        elif actor == "aca":
            lines.append("if hosts[process] != a['host']: return False")
        else:
            lines.append(f"if process != {actor!r}: return False")
        lines += ["taken = line.taken", "if taken is not None and not is_id(taken): return False"]
        more = {
            "processes": self._processes,
            "hosts": self._hosts,
            "is_id": self._is_id,
            "messages": sent,
            "kept": state,
        }
        self.heads[event] = self._compiled("line", [*lines, "return True"], more)
        lines += [
            "sent = line.sent",
            "if sent:",
            "    for message in sent:",
            "        if not messages[message[0]](message): return False",
        ]
        for key in ("after", "state"):
            lines += [f"entries = line.{key}", "if entries:", "    for symbol, listed in entries.items():"]
            lines.append("        if not kept[symbol](listed): return False")
        self.fits[event] = self._compiled("line", [*lines, "return True"], more)

    def _attribute(self, place: int, name: str, sort: type[Value]) -> list[str]:
        """Code that tests one parameter. It interns names: comparing the same object is faster."""
        value = f"x{place}"
        test = self._test(sort, value)
        if not issubclass(sort, Individual) or issubclass(sort, Request):
            return [f"{value} = a[{name!r}]", f"if not {test}: return False"]
        return [f"a[{name!r}] = S_{sort.__name__}[a[{name!r}]]"]

    def _message(self, message: Symbol) -> Test:
        names = [f"x{place}" for place in range(len(message.arguments))]
        tests = [self._test(sort, name) for sort, name in zip(message.arguments, names, strict=True)]
        return self._compiled("a", [f"_, {''.join(f'{name}, ' for name in names)} = a", f"return {_all(tests)}"])

    def _entries(self, symbol: Symbol) -> Test:
        sorts = (*symbol.arguments, symbol.result)
        names = [f"x{place}" for place in range(len(sorts))]
        tests = [self._test(sort, name) for sort, name in zip(sorts, names, strict=True)]
        each = [f"for {''.join(f'{name}, ' for name in names)} in listed:", f"    if not ({_all(tests)}): return False"]
        return self._compiled("listed", [*each, "return True"])

    def _test(self, sort: type[Value], value: str) -> str:
        if sort is Formula:
            return f"(type({value}) is bool)"
        if issubclass(sort, Number):
            return f"(type({value}) is int and {value} >= 0)"
        if issubclass(sort, Enumeration):
            return f"(type({value}) is str and {value} in {tuple(sort.names())!r})"
        name = f"S_{sort.__name__}"
        self._names.setdefault(name, _Names(_form_of(sort)[0], REQUESTS_REMEMBERED_MAX if sort is Request else None))
        return f"({value} in {name} or {name}.admits({value}))"

    def _compiled(self, given: str, lines: Iterable[str], more: Mapping[str, Any] | None = None) -> Test:
        source = "\n    ".join([f"def fits({given}):", *lines])
        scope: dict[str, Any] = {**self._names, **(more or {})}
        exec(compile(source, "<lines>", "exec"), scope)  # noqa: S102 - the source is generated from the protocol
        function: Test = scope["fits"]
        return function

    # ---------------------------------------------------------------------------------------------- the slow path

    def fault(self, line: Line) -> Fault | None:
        """The first field that violates the schema, and what was expected; None if at most parameters are missing."""
        return next(self._faults(line), None)

    def _faults(self, line: Line) -> Iterator[Fault]:
        if not self._processes.admits(line.process):
            yield "service.instance.id", f"expected dpm, ncm or aca/ and a host, found {shown(line.process)}"
        if line.sequence < 1:
            yield "sequence", f"expected an integer >= 1, found {line.sequence}"
        if line.taken is not None and not self._is_id(line.taken):
            yield "messaging.message.id", f"expected process:run:sequence.index, found {shown(line.taken)}"
        if line.event not in self.fits:
            near = difflib.get_close_matches(line.event, self.events, n=1)
            meant = f"did you mean {near[0]}?" if near else "docs/event-log.schema.json lists them all"
            yield "event.name", f"unknown event {shown(line.event)}; {meant}"
            return
        role, _, host = line.process.partition("/")
        actor = self._actors.get(line.event)
        if actor is not None and actor != role:
            yield "event.name", f"{line.event} is a step of {actor}, not of {line.process}"
        if actor == "aca" and line.attributes.get("host", host) != host:
            yield "attributes.host", f"expected {host}, the host of this agent, found {shown(line.attributes['host'])}"
        parameters = self._parameters[line.event]
        for name, value in line.attributes.items():
            if name not in parameters:
                known = f"choose among {', '.join(parameters)}" if parameters else "it has none"
                near = difflib.get_close_matches(name, parameters, n=1)
                meant = f" (did you mean {near[0]}?)" if near else ""
                yield f"attributes.{name}", f"{line.event} has no parameter {shown(name)}{meant}; {known}"
            elif (wrong := _wrong(value, parameters[name])) is not None:
                yield f"attributes.{name}", wrong
        yield from self._faults_of_messages(line)
        yield from self._faults_of_state(line)

    def _faults_of_messages(self, line: Line) -> Iterator[Fault]:
        known = self._declared[line.event][0]
        for place, message in enumerate(line.sent or ()):
            where = f"sent[{place}]"
            if not message or message[0] not in known:
                yield where, no_such("message", str(message[0]) if message else "", known)
                continue
            declared = known[str(message[0])]
            yield from _faults_of_tuple(where, message[1:], declared.arguments, declared.fields)

    def _faults_of_state(self, line: Line) -> Iterator[Fault]:
        known = self._declared[line.event][1]
        for key, entries in (("after", line.after), ("state", line.state)):
            for name, listed in (entries or {}).items():
                if name not in known:
                    yield f"{key}.{name}", no_such("piece of state", name, known)
                    continue
                symbol = known[name]
                for place, entry in enumerate(listed):
                    fields = (*symbol.fields, "value")
                    yield from _faults_of_tuple(
                        f"{key}.{name}[{place}]", entry, (*symbol.arguments, symbol.result), fields
                    )


@cache
def recorded() -> Vocabulary:
    """The schema of all recorded protocols, cached: compiling it takes as long as reading ten thousand lines."""
    return Vocabulary()


def _all(tests: Sequence[str]) -> str:
    return " and ".join(tests) or "True"


def _form_of(sort: type[Value]) -> tuple[re.Pattern[str], str]:
    return _FORMS.get(sort, _ANY_NAME)


def _faults_of_tuple(
    where: str, values: Sequence[object], sorts: Sequence[type[Value]], fields: Sequence[str]
) -> Iterator[Fault]:
    if len(values) != len(sorts):
        yield where, f"expected {len(sorts)} values ({', '.join(fields)}), found {len(values)}"
        return
    for field, value, sort in zip(fields, values, sorts, strict=True):
        if (wrong := _wrong(value, sort)) is not None:
            yield f"{where}.{field}", wrong


def _wrong(value: object, sort: type[Value]) -> str | None:
    """What is wrong with a value of this sort, as half a sentence; None if it is valid."""
    if sort is Formula:
        return None if type(value) is bool else f"expected true or false, found {shown(value)}"
    if issubclass(sort, Number):
        return None if type(value) is int and value >= 0 else f"expected an integer >= 0, found {shown(value)}"
    if issubclass(sort, Enumeration):
        names = sort.names()
        return None if value in names else f"expected {' or '.join(names)}, found {shown(value)}"
    assert issubclass(sort, Individual)
    form, what = _form_of(sort)
    if isinstance(value, str) and form.fullmatch(value) is not None:
        return None
    return f"expected {what}, found {shown(value)}"


_SHOWN_MAX: Final = 60


def shown(value: object) -> str:
    """A value of a log, short enough for a sentence."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 1]}…"
