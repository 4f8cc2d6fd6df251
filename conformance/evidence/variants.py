"""Evidence that the checks find violations: for every variant, the checks that notice it, and a counterexample.

`conformance/data/variants` has a table for each protocol: for each variant the claims that are no longer proved (promises that the
variant names, or lemmas that carry their proof), and the configuration in which exploration finds a shortest counterexample to a
named promise. That counterexample is also a negative vector: a conforming implementation leaves it at the step where the variant
leaves the protocol. Variants that break only eventualities are not in the table; see `conformance.evidence.lassos`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from conformance import configurations
from conformance.data.files import kept
from conformance.evidence.mistakes import Counterexample, Mistake
from conformance.evidence.staleness import stale
from conformance.protocols import again
from conformance.replay.replays import NEGATIVE, vectors_of
from conformance.vectors.expectations import BREAKS
from conformance.vectors.scenario import SUFFIX, dumps, first_difference
from impl.cli.exits import Exit, Problem
from model.explore.explore import Exploration, explore
from model.language import Promise, Protocol, Variant
from model.proof.prove import Claim, prove
from model.reference.configuration import Configuration
from model.reference.state import Trace

STATES_MAX: Final = 3_000_000
"""The most states of one configuration; a variant is refuted after thousands."""


def negative_of(protocol: Protocol) -> Path:
    """The folder of a protocol's negative vectors."""
    return vectors_of(protocol) / NEGATIVE


def counterexample_of(variant: Variant, protocol: Protocol) -> Path:
    """The file of the counterexample to a promise that a variant breaks."""
    return negative_of(protocol) / f"{variant.name.replace('_', '-')}{SUFFIX}"


def _table_of(protocol: Protocol) -> Path:
    return kept("variants", f"{protocol.name}.json")


@dataclass(frozen=True)
class VariantCounterexample:
    """How a variant is noticed."""

    variant: str
    proved: tuple[str, ...]
    """Claims that are violated, in the order in which they are checked."""
    config: str
    promise: str
    depth: int
    """Steps of a shortest counterexample to the promise."""

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
    return [broken for broken in variant.breaks if isinstance(broken, Promise)]


def breaking(protocol: Protocol) -> list[Variant]:
    """The variants that break promises; the others break only eventualities."""
    return [variant for variant in protocol.variants if promises_of(variant)]


def violated_by(variant: Variant, protocol: Protocol) -> list[Claim]:
    """The claims that the variant violates. Only its own action is checked, since all others are proved."""
    proof = prove(protocol.with_variant(variant), actions=[variant.action])
    return [claim for claim in proof.claims if claim.verdict == "violated"]


def refuted_by_exploration(variant: Variant, protocol: Protocol, configuration: Configuration) -> Exploration:
    """Looks for a violation of a promise that the variant names. No message is forgotten: for a variant that is not proved."""
    return explore(
        protocol.with_variant(variant),
        configuration,
        states_max=STATES_MAX,
        promises=promises_of(variant),
        sometimes=[],
        deadlocks=False,
        forget_spent=False,
    )


def refuted(variant: Variant, protocol: Protocol) -> tuple[VariantCounterexample, Trace]:
    """How a variant is noticed, and its counterexample.

    Raises:
        Mistake: no claim or no configuration notices the variant, or its counterexample is a run of the protocol itself.
    """
    changed, claims = protocol.with_variant(variant), violated_by(variant, protocol)
    if not claims:
        raise _mistake(
            protocol,
            f"nothing notices {variant.name}, every claim is still proved with it; strengthen a promise, or correct the variant",
            again("prove", variant.name),
        )
    for config in configurations.names(protocol):
        if config == configurations.BENCH:
            continue
        found = refuted_by_exploration(variant, protocol, configurations.find(config, protocol))
        if found.trace is not None:
            if first_difference(found.trace, variant, protocol) is None:
                raise _mistake(
                    protocol,
                    f"the counterexample of {variant.name} is a run of {protocol.name} itself, which breaks {found.violated} too",
                    again(f"bounded --config {config} --steps {len(found.trace.steps)}"),
                    Counterexample(protocol, found.violated, found.trace),
                )
            proved = tuple(dict.fromkeys(claim.name for claim in claims))
            counterexample = VariantCounterexample(variant.name, proved, config, found.violated, len(found.trace.steps))
            return counterexample, found.trace
    names = ", ".join(promise.name for promise in promises_of(variant))
    raise _mistake(
        protocol,
        f"no configuration shows that {variant.name} breaks {names}; add one to {configurations.folder(protocol)}, "
        "or correct the variant",
        again("explore", variant.name),
        (claims[0], changed),
    )


def _mistake(protocol: Protocol, why: str, command: str, *shown: Counterexample | tuple[Claim, Protocol]) -> Mistake:
    sentence = f"The counterexamples of variants of {protocol.name} are not written: {why}. To see it, run `{command}`."
    return Mistake(sentence, *shown)


def write_variants(protocol: Protocol, told: Callable[[str], None]) -> None:
    """Writes the table and the negative vectors; nothing is written unless all are found. `told`: hears each variant's name.

    Raises:
        Mistake: a variant is not noticed as it should be.
    """
    found = []
    for variant in breaking(protocol):
        told(variant.name)
        found.append((variant, *refuted(variant, protocol)))
    negative = negative_of(protocol)
    negative.mkdir(exist_ok=True, parents=True)
    for old in negative.glob(f"*{SUFFIX}"):
        old.unlink()
    for variant, counterexample, trace in found:
        broken = {len(trace.steps): [f"{BREAKS} {counterexample.promise}"]}
        shown = replace(trace, description=variant.doc)
        text = dumps(shown, protocol.with_variant(variant), expected=broken)
        counterexample_of(variant, protocol).write_text(text, encoding="utf-8")
    rows = [counterexample.as_json() for _, counterexample, _ in found]
    _table_of(protocol).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def read_variants(protocol: Protocol) -> list[VariantCounterexample]:
    """Reads the table.

    Raises:
        Problem: there is none.
    """
    path = _table_of(protocol)
    if not path.exists():
        raise Problem(stale(["variants"], protocol, f"{path} is missing"), Exit.BAD_INPUT)
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [
        VariantCounterexample(row["variant"], tuple(row["not proved"]), row["explored in"], row["breaks"], row["depth"])
        for row in rows
    ]
