"""How we know that the live engine bites: for each variant that lets somebody wait in vain, runs that show it.

`conformance/data/lassos` has, in a folder for each protocol, one file for each eventuality that a variant names. Each is a run of
the variant in which everybody does what he is bound to do, and which breaks the eventuality; the interpreter says so of it anew.
Such a run says nothing about an implementation, since no finite part of it need be wrong: it is not replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from conformance import configurations
from conformance.data.files import kept
from conformance.protocols import base
from impl.cli.exits import Exit, Problem
from model.explore.live import live
from model.language import Eventuality, Protocol, Variant
from model.proof.prove import prove
from model.reference import itf
from model.reference.interpreter import Interpreter
from model.reference.lasso import values_of, why_no_counterexample
from model.reference.state import Trace


@dataclass(frozen=True)
class Lasso:
    """A run of a variant that breaks an eventuality."""

    variant: Variant
    eventuality: Eventuality
    trace: Trace
    forgets: bool
    """Whether spent messages are left out of its states."""

    def still_breaks(self, protocol: Protocol) -> bool:
        """Whether the interpreter finds it a run of the variant, fair, and against the eventuality."""
        interpreter = Interpreter(protocol.with_variant(self.variant), self.trace.configuration)
        values = values_of(interpreter, self.trace, self.eventuality)
        return values is not None and not why_no_counterexample(
            interpreter, self.trace, self.eventuality, values, forget_spent=self.forgets
        )


def hopes_of(variant: Variant) -> list[Eventuality]:
    """The eventualities that a variant breaks."""
    return [each_break for each_break in variant.breaks if isinstance(each_break, Eventuality)]


def may_forget(protocol: Protocol, variant: Variant) -> bool:
    """Whether spent messages may be forgotten: it is proved of the protocol, and has to be proved of a variant."""
    return prove(protocol.with_variant(variant), actions=[variant.action]).verdict == "holds"


def folder_of(protocol: Protocol) -> Path:
    """The folder of a protocol's lassos."""
    return kept("lassos", base(protocol).name)


def path_of(variant: Variant, eventuality: Eventuality, protocol: Protocol) -> Path:
    """Where the run is."""
    return folder_of(protocol) / f"{variant.name}.{eventuality.name}.itf.json".replace("_", "-")


def lassos_of(variant: Variant, protocol: Protocol) -> Iterator[Lasso]:
    """A run for each eventuality that a variant names, from the first configuration that has one."""
    changed, forgets = protocol.with_variant(variant), may_forget(protocol, variant)
    found: dict[Eventuality, Trace] = {}
    for name in configurations.live_names(protocol):
        decided = live(
            changed, configurations.find(name, protocol), eventualities=hopes_of(variant), forget_spent=forgets
        )
        for outcome in decided.outcomes:
            if outcome.lasso is not None:
                found.setdefault(outcome.eventuality, outcome.lasso)
    for eventuality in hopes_of(variant):
        assert eventuality in found, f"{variant.name}: no configuration shows that it breaks {eventuality.name}"
        yield Lasso(variant, eventuality, found[eventuality], forgets)


def write_lassos(protocol: Protocol, told: Callable[[str], None]) -> None:
    """Writes all of them anew."""
    folder_of(protocol).mkdir(parents=True, exist_ok=True)
    for old in folder_of(protocol).glob("*.itf.json"):
        old.unlink()
    for variant in protocol.variants:
        if hopes_of(variant):
            told(variant.name)
            for lasso in lassos_of(variant, protocol):
                shown = replace(lasso.trace, description=f"{variant.doc} So {lasso.eventuality.name} is broken.")
                meta = {"breaks": lasso.eventuality.name, "forgets": lasso.forgets}
                itf.write(
                    shown, path_of(variant, lasso.eventuality, protocol), protocol.with_variant(variant), meta=meta
                )


def read_lassos(protocol: Protocol) -> list[Lasso]:
    """Those that were written.

    Raises:
        BadInput: a file is no run of a variant.
        Problem: one that should be there is not.
    """
    found = []
    for variant in protocol.variants:
        for eventuality in hopes_of(variant):
            path = path_of(variant, eventuality, protocol)
            if not path.exists():
                raise Problem(f"{path}: is missing; write it with `make golden`", Exit.BAD_INPUT)
            trace, meta, _ = itf.read_with_meta(path, protocol)
            found.append(Lasso(variant, eventuality, trace, bool(meta.get("forgets"))))
    return found
