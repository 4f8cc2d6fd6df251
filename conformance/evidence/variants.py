"""Evidence that the checks find violations: for every variant, the checks that notice it, and a counterexample.

`conformance/data/variants` has a table for each protocol: for each variant the claims that are no longer proved (promises that the
variant names, or lemmas that carry their proof), and for each promise that it names the configuration in which exploration finds
a shortest counterexample. That counterexample is also a negative vector: a conforming implementation leaves it at the step where
the variant leaves the protocol. Variants that break only eventualities are not in the table; see `conformance.evidence.lassos`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from conformance import configurations
from conformance.data.files import kept
from conformance.evidence.mistakes import Counterexample, Mistake
from conformance.evidence.staleness import stale
from conformance.protocols import again
from conformance.replay.replays import NEGATIVE, Vector, read_vectors, vectors_of
from conformance.vectors.expectations import BREAKS
from conformance.vectors.scenario import SUFFIX, dumps, first_difference
from impl.cli.exits import Exit, Problem
from model.bad_input import BadInput
from model.explore.explore import Exploration, explore
from model.language import Promise, Protocol, Variant
from model.proof.prove import Claim, prove
from model.reference.configuration import Configuration
from model.reference.interpreter import interpreter_of
from model.reference.state import Trace

STATES_MAX: Final = 3_000_000
"""The most states of one configuration; a variant is refuted after thousands."""


def negative_of(protocol: Protocol) -> Path:
    """The folder of a protocol's negative vectors."""
    return vectors_of(protocol) / NEGATIVE


def counterexample_of(variant: Variant, protocol: Protocol, promise: Promise | None = None) -> Path:
    """The file of the counterexample to a promise that a variant breaks; by default the first one."""
    first = promises_of(variant)[0]
    name = variant.name if promise in (None, first) else f"{variant.name}.{promise}"
    return negative_of(protocol) / f"{name.replace('_', '-')}{SUFFIX}"


def shown_by(vector: Vector, variant: Variant, protocol: Protocol) -> list[Promise]:
    """The promise that a negative vector is the counterexample to; of a run under another name, any that the variant names."""
    promises = promises_of(variant)
    own = [promise for promise in promises if counterexample_of(variant, protocol, promise).stem == vector.name]
    return own or promises


def still_breaks(vector: Vector, promises: Sequence[Promise]) -> bool:
    """Whether one of the promises is broken at the end of a negative vector."""
    trace = vector.trace
    interpreter = interpreter_of(vector.protocol, trace.configuration)
    before, after = trace.states[-2:]
    events = interpreter.apply(before, trace.steps[-1])[1]
    return interpreter.violated(before, after, events, promises) is not None


def _table_of(protocol: Protocol) -> Path:
    return kept("variants", f"{protocol.name}.json")


@dataclass(frozen=True)
class VariantCounterexample:
    """How a variant is noticed by one of the promises that it names."""

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


def refuted_by_exploration(
    variant: Variant, protocol: Protocol, configuration: Configuration, promise: Promise | None = None
) -> Exploration:
    """Looks for a violation of a promise that the variant names, or of this one. No message is forgotten: for a variant that is not
    proved.
    """
    return explore(
        protocol.with_variant(variant),
        configuration,
        states_max=STATES_MAX,
        promises=promises_of(variant) if promise is None else [promise],
        sometimes=[],
        deadlocks=False,
        forget_spent=False,
    )


def refuted(variant: Variant, protocol: Protocol) -> Iterator[tuple[VariantCounterexample, Trace]]:
    """How a variant is noticed by each promise that it names, with the counterexamples.

    Raises:
        Mistake: no claim or no configuration notices the variant, or its counterexample is a run of the protocol itself.
    """
    claims = violated_by(variant, protocol)
    if not claims:
        raise _mistake(
            protocol,
            f"nothing notices {variant.name}, every claim is still proved with it; strengthen a promise, or correct the variant",
            again("prove", variant.name),
        )
    proved = tuple(dict.fromkeys(claim.name for claim in claims))
    for promise in promises_of(variant):
        found = _shown(variant, promise, protocol)
        if found is None:
            raise _mistake(
                protocol,
                f"no configuration shows that {variant.name} breaks {promise.name}; add one to "
                f"{configurations.folder(protocol)}, or correct the variant",
                again("explore", variant.name),
                (claims[0], protocol.with_variant(variant)),
            )
        config, trace = found
        yield VariantCounterexample(variant.name, proved, config, promise.name, len(trace.steps)), trace


def _shown(variant: Variant, promise: Promise, protocol: Protocol) -> tuple[str, Trace] | None:
    """The first configuration that shows that the variant breaks the promise, and a shortest run there."""
    for config in configurations.names(protocol):
        if config == configurations.BENCH:
            continue
        trace = refuted_by_exploration(variant, protocol, configurations.find(config, protocol), promise).trace
        if trace is None:
            continue
        if first_difference(trace, variant, protocol) is None:
            raise _mistake(
                protocol,
                f"the counterexample of {variant.name} is a run of {protocol.name} itself, which breaks {promise.name} too",
                again(f"bounded --config {config} --steps {len(trace.steps)}"),
                Counterexample(protocol, promise.name, trace),
            )
        return config, trace
    return None


def _mistake(protocol: Protocol, why: str, command: str, *shown: Counterexample | tuple[Claim, Protocol]) -> Mistake:
    sentence = f"The counterexamples of variants of {protocol.name} are not written: {why}. To see it, run `{command}`."
    return Mistake(sentence, *shown)


def write_variants(protocol: Protocol, told: Callable[[str], None]) -> None:
    """Writes the table and the negative vectors; nothing is written unless all are found. `told`: hears each variant's name.

    Raises:
        Mistake: a variant is not noticed as it should be, or a promise says less than it did.
    """
    _refuse_weaker(protocol)
    found = []
    for variant in breaking(protocol):
        told(variant.name)
        found += [(variant, *shown) for shown in refuted(variant, protocol)]
    negative = negative_of(protocol)
    negative.mkdir(exist_ok=True, parents=True)
    for old in negative.glob(f"*{SUFFIX}"):
        old.unlink()
    for variant, counterexample, trace in found:
        promise = next(broken for broken in promises_of(variant) if broken.name == counterexample.promise)
        broken = {len(trace.steps): [f"{BREAKS} {promise.name}"]}
        shown = replace(trace, description=variant.doc)
        text = dumps(shown, protocol.with_variant(variant), expected=broken)
        counterexample_of(variant, protocol, promise).write_text(text, encoding="utf-8")
    rows = [counterexample.as_json() for _, counterexample, _ in found]
    _table_of(protocol).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _refuse_weaker(protocol: Protocol) -> None:
    """What a promise noticed it still notices: a run is not replaced by another one because the promise says less.

    A run that the statement or the variant no longer takes is replaced in silence.
    """
    for variant in breaking(protocol):
        for promise in promises_of(variant):
            path = counterexample_of(variant, protocol, promise)
            try:
                (vector,) = read_vectors([path], protocol, unmet=True)
            except BadInput:
                continue
            if not still_breaks(vector, [promise]):
                raise Mistake(
                    f"The counterexamples of variants of {protocol.name} are not written: {path} breaks {promise.name} no longer, "
                    f"which says less than it did. If that is meant, delete the file. To see the run, run "
                    f"`{again(f'show {path}')}`."
                )


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
