"""The JSON Schema of a line, generated from the declaration of the line and the tables of the event schema.

It is written to `docs/event-log.schema.json`, for programs in other languages that write or read logs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from impl.events.event_schema import ACTIONS, KIND, MEMBERS, MESSAGES, NUMBER, STUTTERS, SYMBOLS, TEXT, TRUTH
from impl.events.line import MESSAGE_ID, Line
from impl.messages import HOST_NAME

FILE: Final = Path(__file__).parents[2] / "docs" / "event-log.schema.json"

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_PATTERNS: Final[Mapping[str, str]] = {
    "host": HOST_NAME.pattern,
    "vpc": r"\S+",
    "pod": r"[^/\s]+/[^/\s]+",
    "request": r"[0-9]{1,20}\.[0-9]{1,20}",
}

Schema = dict[str, Any]


def schema() -> Schema:
    """The schema of one line."""
    (made,), components = msgspec.json.schema_components([Line], ref_template="#/$defs/{name}")
    line = components[made["$ref"].rsplit("/", 1)[1]]
    properties = line["properties"]
    properties["service.instance.id"]["pattern"] = rf"^(dpm|ncm|aca/{HOST_NAME.pattern})$"
    properties["sequence"]["minimum"] = 1
    properties["messaging.message.id"] = {"type": "string", "pattern": f"^{_unnamed(MESSAGE_ID.pattern)}$"}
    for name in ("sent", "after", "state"):
        properties[name] = properties[name]["anyOf"][0]
    properties["event.name"]["enum"] = [*ACTIONS, *STUTTERS]
    return {
        "$schema": _DIALECT,
        "title": "A line of an event log",
        **{key: line[key] for key in ("description", "type", "properties", "required", "additionalProperties")},
        "allOf": [
            *(
                _when(step, _parameters({parameter: KIND[parameter] for parameter in action.parameters}), step)
                for step, action in ACTIONS.items()
            ),
            *(_when(event, _parameters(stutter.attributes), "") for event, stutter in STUTTERS.items()),
        ],
        "$defs": {
            **{f"kind-{kind}": _kind(kind) for kind in (*_PATTERNS, *MEMBERS, NUMBER, TRUTH, TEXT)},
            **{f"messages-of-{protocol or 'all'}": _messages(protocol) for protocol in ("", *_protocols())},
            **{f"state-of-{protocol or 'all'}": _state(protocol) for protocol in ("", *_protocols())},
        },
    }


def text() -> str:
    """The schema as the text of the file."""
    return json.dumps(schema(), indent=1) + "\n"


def _protocols() -> list[str]:
    return list(dict.fromkeys(step.partition(".")[0] for step in ACTIONS))


def _unnamed(pattern: str) -> str:
    """The pattern without group names, whose syntax differs between languages."""
    for group in MESSAGE_ID.groupindex:
        pattern = pattern.replace(f"(?P<{group}>", "(")
    return pattern


def _kind(kind: str) -> Schema:
    if kind in _PATTERNS:
        return {"type": "string", "pattern": f"^{_PATTERNS[kind]}$"}
    if kind in MEMBERS:
        return {"enum": list(MEMBERS[kind])}
    others: dict[str, Schema] = {
        NUMBER: {"type": "integer", "minimum": 0},
        TRUTH: {"type": "boolean"},
        TEXT: {"type": "string"},
    }
    return others[kind]


def _of_kind(kind: str) -> Schema:
    return {"$ref": f"#/$defs/kind-{kind}"}


def _when(event: str, attributes: Schema, step: str) -> Schema:
    """What else a line of this event may contain. `step`: the event, if it is a step of a protocol; else empty."""
    protocol = step.partition(".")[0] or "all"
    return {
        "if": {"properties": {"event.name": {"const": event}}},
        "then": {
            "properties": {
                "attributes": attributes,
                "sent": {"items": {"$ref": f"#/$defs/messages-of-{protocol}"}},
                "after": {"$ref": f"#/$defs/state-of-{protocol}"},
                "state": {"$ref": f"#/$defs/state-of-{protocol}"},
            }
        },
    }


def _parameters(kinds: Mapping[str, str]) -> Schema:
    """Every parameter is optional: a log may be partial."""
    return {
        "properties": {name.rstrip("?"): _of_kind(kind) for name, kind in kinds.items()},
        "additionalProperties": False,
    }


def _tuple(kinds: Iterable[Schema]) -> Schema:
    items = list(kinds)
    return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}


def _named(full: str, protocol: str) -> str | None:
    """The short name in lines of the protocol, or None if it belongs to another one; the full name if the protocol is empty."""
    if not protocol:
        return full
    return full.removeprefix(f"{protocol}.") if full.startswith(f"{protocol}.") else None


def _messages(protocol: str) -> Schema:
    return {
        "oneOf": [
            _tuple([{"const": name}, *(_of_kind(KIND[argument]) for argument in arguments)])
            for full, arguments in MESSAGES.items()
            if (name := _named(full, protocol)) is not None
        ]
    }


def _state(protocol: str) -> Schema:
    symbols = {full: kinds for kept in SYMBOLS.values() for full, kinds in kept.items()}
    return {
        "properties": {
            name: {"items": _tuple(_of_kind(kind) for kind in kinds)}
            for full, kinds in symbols.items()
            if (name := _named(full, protocol)) is not None
        },
        "additionalProperties": False,
    }
