"""Evidence that the live engine finds violations: for each variant that breaks an eventuality, a fair run that shows it.

`conformance/data/lassos` has, in a folder for each protocol, one file for each eventuality that a variant names. Each is a fair run
of the variant that breaks the eventuality, and the interpreter confirms that again. Such a run says nothing about an
implementation, since no finite part of it need be wrong: it is not replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from conformance import configurations
from conformance.data.files import kept
from conformance.evidence.mistakes import Mistake
from conformance.evidence.staleness import stale
from conformance.protocols import again, base
from impl.cli.exits import Exit, Problem
from model.bad_input import BadInput
from model.explore.live import live
from model.language import Eventuality, Protocol, Variant
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
        """Whether the interpreter confirms that it is a fair run of the variant that violates the eventuality."""
        interpreter = Interpreter(protocol.with_variant(self.variant), self.trace.configuration)
        values = values_of(interpreter, self.trace, self.eventuality)
        return values is not None and not why_no_counterexample(
            interpreter, self.trace, self.eventuality, values, forget_spent=self.forgets
        )


def hopes_of(variant: Variant) -> list[Eventuality]:
    """The eventualities that a variant breaks."""
    return [broken for broken in variant.breaks if isinstance(broken, Eventuality)]


def folder_of(protocol: Protocol) -> Path:
    """The folder of a protocol's lassos."""
    return kept("lassos", base(protocol).name)


def path_of(variant: Variant, eventuality: Eventuality, protocol: Protocol) -> Path:
    """The file of the run."""
    return folder_of(protocol) / f"{variant.name}.{eventuality.name}.itf.json".replace("_", "-")


def lassos_of(variant: Variant, protocol: Protocol) -> Iterator[Lasso]:
    """A run for each eventuality that a variant names, from the first configuration that has one.

    Raises:
        Mistake: no configuration shows that the variant breaks one of them.
    """
    changed = protocol.with_variant(variant)
    found: dict[Eventuality, Lasso] = {}
    for name in configurations.live_names(protocol):
        decided = live(changed, configurations.find(name, protocol), eventualities=hopes_of(variant))
        for outcome in decided.outcomes:
            if outcome.lasso is not None:
                lasso = Lasso(variant, outcome.eventuality, outcome.lasso, decided.forgets)
                found.setdefault(outcome.eventuality, lasso)
    for eventuality in hopes_of(variant):
        if eventuality not in found:
            command = again("live", variant.name)
            raise Mistake(
                f"The lassos of {protocol.name} are not written: no configuration shows that {variant.name} breaks "
                f"{eventuality.name}; add one to {configurations.live_folder(protocol)}, or correct the variant. "
                f"To see what is decided, run `{command}`."
            )
        yield found[eventuality]


def write_lassos(protocol: Protocol, told: Callable[[str], None]) -> None:
    """Writes the lassos of all variants; nothing is written unless all of them are found. `told`: hears each variant's name.

    Raises:
        Mistake: no configuration shows that a variant breaks what it names, or an eventuality says less than it did.
    """
    _refuse_weaker(protocol)
    found: list[Lasso] = []
    for variant in protocol.variants:
        if hopes_of(variant):
            told(variant.name)
            found += lassos_of(variant, protocol)
    folder_of(protocol).mkdir(parents=True, exist_ok=True)
    for old in folder_of(protocol).glob("*.itf.json"):
        old.unlink()
    for lasso in found:
        variant, eventuality = lasso.variant, lasso.eventuality
        shown = replace(lasso.trace, description=f"{variant.doc} So {eventuality.name} is broken.")
        meta = {"breaks": eventuality.name, "forgets": lasso.forgets}
        itf.write(shown, path_of(variant, eventuality, protocol), protocol.with_variant(variant), meta=meta)


def _refuse_weaker(protocol: Protocol) -> None:
    """What broke an eventuality still does: a run is not replaced by another one because less is promised, or more is fair.

    A run that the statement or the variant no longer takes is replaced in silence.
    """
    for variant in protocol.variants:
        for eventuality in hopes_of(variant):
            path = path_of(variant, eventuality, protocol)
            try:
                lasso = _read(path, variant, eventuality, protocol)
            except BadInput:
                continue
            if not lasso.still_breaks(protocol):
                raise Mistake(
                    f"The lassos of {protocol.name} are not written: {path} breaks {eventuality.name} no longer, which promises "
                    f"less than it did, or more is fair. If that is meant, delete the file. To see the run, run "
                    f"`{again(f'show {path}')}`."
                )


def _read(path: Path, variant: Variant, eventuality: Eventuality, protocol: Protocol) -> Lasso:
    trace, meta, _ = itf.read_with_meta(path, protocol)
    return Lasso(variant, eventuality, trace, bool(meta.get("forgets")))


def read_lassos(protocol: Protocol) -> list[Lasso]:
    """Reads the lassos of all variants.

    Raises:
        BadInput: a file is not a run of its variant.
        Problem: a file is missing.
    """
    found = []
    for variant in protocol.variants:
        for eventuality in hopes_of(variant):
            path = path_of(variant, eventuality, protocol)
            if not path.exists():
                raise Problem(stale(["lassos"], protocol, f"{path} is missing"), Exit.BAD_INPUT)
            found.append(_read(path, variant, eventuality, protocol))
    return found
