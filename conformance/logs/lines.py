"""What a line of an event log may say, taken from the protocols' own declarations: events, parameters, messages, entries of state.

Reading is to take less than a microsecond a line for this. So each event, message and symbol gets one expression that tells
whether all is well, compiled once; only when it says no does slow code look for the field and the sentence.

| sort | in a log |
|---|---|
| host, VPC | its name |
| pod | `vpc/address` |
| request | `epoch.number` |
| number | an integer from 0 on |
| enumeration | the member's name |
| formula | true or false; at the end of an entry of state |

A parameter may be missing, since a log may be partial: what it was is then for validation to find out. A parameter, message or
piece of state that the protocol does not have is a slip, and so is a value of another sort.
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
"""Whether something is as declared, by its truth value; one that is of another type altogether may raise."""


class Text(Individual):
    """What only people read."""


UNFIT: Final = (LookupError, TypeError, AttributeError, ValueError)
"""Something is missing, unknown or of another type: `Vocabulary.fault` says what."""

PROCESS: Final = re.compile(rf"dpm|ncm|aca/{HOST_NAME.pattern}")
"""Who may keep a log."""

_PLACE_MAX: Final = 25
"""Digits of a line's number and of a message's place in it, and the point between them."""

_SORTS: Final[Mapping[str, type[Value]]] = {
    "host": Host,
    "vpc": Vpc,
    "pod": Pod,
    "request": Request,
    NUMBER: Number,
    TEXT: Text,
}
"""The sort of what a stutter tells, by the kind that the implementation gives it."""

_FORMS: Final[Mapping[type[Value], tuple[re.Pattern[str], str]]] = {
    Host: (HOST_NAME, "a host's name"),
    Pod: (re.compile(r"[^/\s]+/[^/\s]+"), "a pod as vpc/address"),
    Text: (re.compile(r".*", re.DOTALL), "text"),
    Request: (re.compile(r"[0-9]{1,20}\.[0-9]{1,20}"), "a request as epoch.number"),
}
_ANY_NAME: Final = (re.compile(r"\S+"), "a name")

REQUESTS_REMEMBERED_MAX: Final = 1 << 8
"""The same of requests (`REMEMBERED_MAX` is of other names): each is named by some lines that follow soon, and never again."""

Fault = tuple[str, str]
"""A field, as a path within the line, and what is wrong with it."""


class _Names(dict[Any, Any]):
    """The well-formed names of a sort that were seen; `in` sees what is new, so that the usual case costs one look-up."""

    def __init__(self, form: re.Pattern[str], most: int | None = None) -> None:
        super().__init__()
        self._form = form
        self._most = most

    def admits(self, value: object) -> bool:
        """Whether a value is such a name."""
        if not isinstance(value, str) or self._form.fullmatch(value) is None:
            return False
        if len(self) >= (self._most or REMEMBERED_MAX):
            self.clear()
        self[value] = value
        return True

    def __missing__(self, value: object) -> object:
        """The value itself, which is such a name. Raises `ValueError` if it is none."""
        if not self.admits(value):
            raise ValueError(value)
        return value


def _host_of(process: str) -> str:
    """The host of an agent, by the name of its process; of another process, what is no host's name."""
    role, _, host = process.partition("/")
    return host if role == "aca" else ""


class Vocabulary:
    """The words of the recorded protocols, and whether a line keeps to them."""

    def __init__(self, protocols: Sequence[Protocol] = RECORDED) -> None:
        self._names: dict[str, _Names] = {}
        """What the compiled expressions refer to."""
        self._processes = _Names(PROCESS)
        self._hosts = Lookup(_host_of)
        self._runs = _Names(re.compile(rf"(?:{PROCESS.pattern}):[0-9a-f]{{16}}"))
        self._parameters: dict[str, dict[str, type[Value]]] = {}
        self._words: dict[str, tuple[Mapping[str, Message[Any]], Mapping[str, Symbol]]] = {}
        """The messages and the pieces of state that a line of this event may name, as it names them."""
        self._actors: dict[str, str] = {}
        """Who takes the step of an event: `dpm`, `ncm`, or `aca`, whose first parameter is then its own host."""
        self.fits: dict[str, Test] = {}
        """For each event, whether a line keeps to the protocol's words, by its truth value; what is of another type altogether may
        raise one of `UNFIT`."""
        self.heads: dict[str, Test] = {}
        """The same, without looking at what the line sent, and at state: for whoever compares these with what is right."""
        everywhere: tuple[dict[str, Message[Any]], dict[str, Symbol]] = ({}, {})
        for protocol in protocols:
            messages = {message.name: message for message in protocol.messages}
            kept = {symbol.name: symbol for symbol in protocol.symbols if symbol.kind == "state"}
            everywhere[0].update({f"{protocol.name}.{name}": one for name, one in messages.items()})
            everywhere[1].update({f"{protocol.name}.{name}": one for name, one in kept.items()})
            sent = {name: self._message(one) for name, one in messages.items()}
            state = {name: self._entries(one) for name, one in kept.items()}
            for action in protocol.actions:
                event = f"{protocol.name}.{action.name}"
                self._parameters[event] = {parameter.name: parameter.sort for parameter in action.parameters}
                self._actors[event] = "aca" if action.role.each is Host else action.role.name.lower()
                self._words[event] = messages, kept
                self._line(event, list(self._parameters[event]), sent, state)
        sent = {name: self._message(one) for name, one in everywhere[0].items()}
        state = {name: self._entries(one) for name, one in everywhere[1].items()}
        for event, stutter in STUTTERS.items():
            self._parameters[event] = {name.rstrip("?"): _SORTS[kind] for name, kind in stutter.attributes.items()}
            self._words[event] = everywhere
            always = [name for name in stutter.attributes if not name.endswith("?")]
            self._line(event, always, sent, state)

    @property
    def events(self) -> list[str]:
        """Every name that an event may have."""
        return list(self.fits)

    def parameters(self, event: str) -> Mapping[str, type[Value]]:
        """What an event says: the parameters of its action, or what else it tells, with their sorts."""
        return self._parameters[event]

    # ------------------------------------------------------------------------------------------------- the fast path

    def accepts(self, line: Line) -> bool:
        """Whether the line keeps to the protocol's words; if not, `fault` may still find nothing but missing parameters."""
        try:
            return bool(self.fits[line.event](line))
        except UNFIT:
            return False

    def _is_id(self, taken: str) -> bool:
        """What `MESSAGE_ID` says, in a third of the time."""
        head, _, place = taken.rpartition(":")
        number, _, index = place.partition(".")
        if (head in self._runs or self._runs.admits(head)) and number.isdecimal() and index.isdecimal():
            return len(place) < _PLACE_MAX and number[0] != "0" and place.isascii()
        return False

    def _line(self, event: str, always: Sequence[str], sent: Mapping[str, Test], state: Mapping[str, Test]) -> None:
        """The functions that tell whether a line of this event keeps to its words, and says all that it always does."""
        parameters, actor = self._parameters[event], self._actors.get(event)
        lines = ["a = line.attributes"]
        for place, name in enumerate(always):
            lines += self._attribute(place, name, parameters[name])
        perhaps = [name for name in parameters if name not in always]
        for name in perhaps:
            lines.append(f"if {name!r} in a and not {self._test(parameters[name], f'a[{name!r}]')}: return False")
        count = " + ".join([str(len(always)), *(f"({name!r} in a)" for name in perhaps)])
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
            "    for one in sent:",
            "        if not messages[one[0]](one): return False",
        ]
        for key in ("after", "state"):
            lines += [f"entries = line.{key}", "if entries:", "    for symbol, listed in entries.items():"]
            lines.append("        if not kept[symbol](listed): return False")
        self.fits[event] = self._compiled("line", [*lines, "return True"], more)

    def _attribute(self, place: int, name: str, sort: type[Value]) -> list[str]:
        """Tests one parameter. Of a name that was seen before, the text that was seen takes its place: comparing is faster then."""
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
        exec(compile(source, "<lines>", "exec"), scope)  # noqa: S102 - the text is ours, from the protocol
        function: Test = scope["fits"]
        return function

    # ---------------------------------------------------------------------------------------------- the slow path

    def fault(self, line: Line) -> Fault | None:
        """The first field that is not in the protocol's words, and what was expected; none if parameters are missing at most."""
        return next(self._faults(line), None)

    def _faults(self, line: Line) -> Iterator[Fault]:
        if not self._processes.admits(line.process):
            yield "service.instance.id", f"expected dpm, ncm or aca/ and a host, found {shown(line.process)}"
        if line.sequence < 1:
            yield "sequence", f"expected an integer from 1 on, found {line.sequence}"
        if line.taken is not None and not self._is_id(line.taken):
            yield "messaging.message.id", f"expected process:run:sequence.index, found {shown(line.taken)}"
        if line.event not in self.fits:
            near = difflib.get_close_matches(line.event, self.events, n=1)
            meant = f"did you mean {near[0]}?" if near else "docs/event-log.schema.json lists them all"
            yield "event.name", f"{shown(line.event)} is no event; {meant}"
            return
        role, _, host = line.process.partition("/")
        actor = self._actors.get(line.event)
        if actor is not None and actor != role:
            yield "event.name", f"{line.event} is a step of {actor}, and {line.process} is another process"
        if actor == "aca" and line.attributes.get("host", host) != host:
            yield "attributes.host", f"expected {host}, whose agent says so, found {shown(line.attributes['host'])}"
        parameters = self._parameters[line.event]
        for name, value in line.attributes.items():
            if name not in parameters:
                known = f"choose among {', '.join(parameters)}" if parameters else "it has none"
                near = difflib.get_close_matches(name, parameters, n=1)
                meant = f" (did you mean {near[0]}?)" if near else ""
                yield f"attributes.{name}", f"{shown(name)} is no parameter of {line.event}{meant}; {known}"
            elif (wrong := _wrong(value, parameters[name])) is not None:
                yield f"attributes.{name}", wrong
        yield from self._faults_of_messages(line)
        yield from self._faults_of_state(line)

    def _faults_of_messages(self, line: Line) -> Iterator[Fault]:
        known = self._words[line.event][0]
        for place, message in enumerate(line.sent or ()):
            where = f"sent[{place}]"
            if not message or message[0] not in known:
                yield where, no_such("message", str(message[0]) if message else "", known)
                continue
            declared = known[str(message[0])]
            yield from _faults_of_tuple(where, message[1:], declared.arguments, declared.fields)

    def _faults_of_state(self, line: Line) -> Iterator[Fault]:
        known = self._words[line.event][1]
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
    """The words of all recorded protocols, once for all logs: to compile them takes as long as to read ten thousand lines."""
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
    """What is wrong with a value of this sort, in half a sentence."""
    if sort is Formula:
        return None if type(value) is bool else f"expected true or false, found {shown(value)}"
    if issubclass(sort, Number):
        return None if type(value) is int and value >= 0 else f"expected an integer from 0 on, found {shown(value)}"
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
