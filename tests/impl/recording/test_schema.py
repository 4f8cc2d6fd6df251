"""The published schema of event logs."""

from __future__ import annotations

import json

import msgspec

from impl.recording import schema
from impl.recording.line import Line
from impl.recording.words import ACTIONS, STUTTERS


def test_the_published_file_is_current() -> None:
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), "run make golden, and read the difference"


def test_it_has_every_key_of_a_line_and_every_event() -> None:
    made = schema.schema()
    keys = {field.encode_name: field.required for field in msgspec.structs.fields(Line)}
    assert set(made["properties"]) == set(keys)
    assert set(made["required"]) == {key for key, required in keys.items() if required}
    assert made["additionalProperties"] is False
    events = [one["if"]["properties"]["event.name"]["const"] for one in made["allOf"]]
    assert events == made["properties"]["event.name"]["enum"] == [*ACTIONS, *STUTTERS]


def test_whatever_it_refers_to_is_there() -> None:
    made = schema.schema()

    def referred(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(referred, value.values()))
        return set().union(*map(referred, value)) if isinstance(value, list) else set()

    found = referred(json.loads(schema.text()))
    assert found == {f"#/$defs/{name}" for name in made["$defs"]}


def test_a_step_may_say_its_parameters_and_nothing_else() -> None:
    (grant,) = [one["then"] for one in schema.schema()["allOf"] if "on-demand.grant" in json.dumps(one["if"])]
    attributes = grant["properties"]["attributes"]
    assert tuple(attributes["properties"]) == ACTIONS["on-demand.grant"].parameters
    assert attributes["additionalProperties"] is False
