"""How we know that the checks bite: every variant, and which check kills it how.

`kills/` has a table for each protocol: for each variant the claims that are not proved any more (promises that the variant names,
or supporting lemmas that carry their proof), and the configuration in which exploration finds a shortest way to a named promise.
That way is also a negative vector: an implementation that conforms leaves it at the step where the variant does. Variants that do
nothing wrong and let somebody wait in vain are not in it: `conformance.evidence.lassos` has what they break.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from conformance import configurations
from conformance.data.files import kept
from conformance.replay.replays import vectors_of
from model.explore.explore import Exploration, explore
from model.language import Promise, Protocol, Variant
from model.proof.prove import prove
from model.reference import itf
from model.reference.interpreter import Interpreter
from model.reference.state import Trace

STATES_MAX: Final = 3_000_000
"""States of one configuration at most; a variant is refuted after thousands."""


def negative_of(protocol: Protocol) -> Path:
    """The folder of a protocol's negative vectors."""
    return vectors_of(protocol) / "negative"


def _table_of(protocol: Protocol) -> Path:
    return kept("variants", f"{protocol.name}.json")


@dataclass(frozen=True)
class VariantCounterexample:
    """How a variant dies."""

    variant: str
    proved: tuple[str, ...]
    """Claims that are violated, in the order in which they are asked."""
    config: str
    promise: str
    depth: int
    """Steps of a shortest way to the broken promise."""

    def as_json(self) -> dict[str, Any]:
        """A row of the table."""
        return {
            "variant": self.variant,
            "not proved": list(self.proved),
            "explored in": self.config,
            "breaks": self.promise,
            "depth": self.depth,
        }


def promises_of(variant: Variant) -> list[Promise]:
    """The promises that a variant breaks."""
    return [each_break for each_break in variant.breaks if isinstance(each_break, Promise)]


def breaking(protocol: Protocol) -> list[Variant]:
    """The variants that break promises; the others only let somebody wait in vain."""
    return [variant for variant in protocol.variants if promises_of(variant)]


def refuted_by_proof(variant: Variant, protocol: Protocol) -> tuple[str, ...]:
    """The claims that the variant violates; only its own action is asked about, since all others are proved."""
    changed = protocol.with_variant(variant)
    proof = prove(changed, actions=[variant.action])
    return tuple(dict.fromkeys(claim.name for claim in proof.claims if claim.verdict == "violated"))


def refuted_by_exploration(variant: Variant, protocol: Protocol, config: str) -> Exploration:
    """Looks for a promise that the variant names. Nothing is forgotten: for a variant that is not justified."""
    return explore(
        protocol.with_variant(variant),
        configurations.find(config, protocol),
        states_max=STATES_MAX,
        promises=promises_of(variant),
        sometimes=[],
        deadlocks=False,
        forget_spent=False,
    )


def first_difference(trace: Trace, variant: Variant, protocol: Protocol) -> int:
    """The first step (from 1 on) that the protocol itself does not make, or makes otherwise."""
    interpreter = Interpreter(protocol, trace.configuration)
    changed = Interpreter(protocol.with_variant(variant), trace.configuration)
    for number, step in enumerate(trace.steps):
        state = trace.states[number]
        if step.action != variant.replaces.name:
            continue
        if not interpreter.is_enabled(state, step) or interpreter.apply(state, step) != changed.apply(state, step):
            return number + 1
    raise AssertionError(f"{variant.name}: its trace is a run of the protocol itself")


def refuted(variant: Variant, protocol: Protocol) -> tuple[VariantCounterexample, Trace, int]:
    """How a variant dies, the way there, and the step at which it leaves the protocol."""
    proved = refuted_by_proof(variant, protocol)
    assert proved, f"{variant.name}: nothing that is proved notices it"
    for config in configurations.names(protocol):
        if config == configurations.BENCH:
            continue
        found = refuted_by_exploration(variant, protocol, config)
        if found.trace is not None:
            counterexample = VariantCounterexample(variant.name, proved, config, found.violated, len(found.trace.steps))
            return counterexample, found.trace, first_difference(found.trace, variant, protocol)
    raise AssertionError(f"{variant.name}: no configuration shows that it breaks a promise")


def write_variants(protocol: Protocol, told: Callable[[str], None]) -> None:
    """Writes the table and the negative vectors anew."""
    negative = negative_of(protocol)
    negative.mkdir(exist_ok=True, parents=True)
    for old in negative.glob("*.itf.json"):
        old.unlink()
    rows = []
    for variant in breaking(protocol):
        told(variant.name)
        counterexample, trace, step = refuted(variant, protocol)
        rows.append(counterexample.as_json())
        shown = Trace(trace.protocol, trace.configuration, trace.states, trace.steps, variant.doc)
        path = negative / f"{variant.name.replace('_', '-')}.itf.json"
        itf.write(shown, path, protocol.with_variant(variant), meta={"diverges_at": step})
    _table_of(protocol).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def read_variants(protocol: Protocol) -> list[VariantCounterexample]:
    """The table as it was written."""
    rows = json.loads(_table_of(protocol).read_text(encoding="utf-8"))
    return [
        VariantCounterexample(row["variant"], tuple(row["not proved"]), row["explored in"], row["breaks"], row["depth"])
        for row in rows
    ]
