"""The published schema of event logs."""

from __future__ import annotations

import json

import msgspec

from impl.events import json_schema
from impl.events.event_schema import ACTIONS, STUTTERS
from impl.events.line import Line


def test_the_published_file_is_current() -> None:
    assert json_schema.FILE.read_text(encoding="utf-8") == json_schema.text(), (
        "run make golden, and read the difference"
    )


def test_it_has_every_key_of_a_line_and_every_event() -> None:
    made = json_schema.schema()
    keys = {field.encode_name: field.required for field in msgspec.structs.fields(Line)}
    assert set(made["properties"]) == set(keys)
    assert set(made["required"]) == {key for key, required in keys.items() if required}
    assert made["additionalProperties"] is False
    events = [item["if"]["properties"]["event.name"]["const"] for item in made["allOf"]]
    assert events == made["properties"]["event.name"]["enum"] == [*ACTIONS, *STUTTERS]


def test_whatever_it_refers_to_is_there() -> None:
    made = json_schema.schema()

    def referred(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return own.union(*map(referred, value.values()))
        return set().union(*map(referred, value)) if isinstance(value, list) else set()

    found = referred(json.loads(json_schema.text()))
    assert found == {f"#/$defs/{name}" for name in made["$defs"]}


def test_a_step_may_say_its_parameters_and_nothing_else() -> None:
    (grant,) = [item["then"] for item in json_schema.schema()["allOf"] if "on-demand.grant" in json.dumps(item["if"])]
    attributes = grant["properties"]["attributes"]
    assert tuple(attributes["properties"]) == ACTIONS["on-demand.grant"].parameters
    assert attributes["additionalProperties"] is False
