"""`ondemand prove`: proves every promise without bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import click
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from conformance import configurations
from conformance.cli.asked import Asked, asked_options
from conformance.evidence.shown import promises_nothing
from conformance.protocols import again
from conformance.report.result import Case, Finding, Result, Section, source_of
from conformance.report.trace_table import changes_between
from impl.cli.console import MARKS, progress_bar
from impl.cli.exits import EXIT_OF
from model.language import Protocol
from model.proof.prove import Claim, Proof
from model.proof.prove import prove as prove_all
from model.proof.wellformed import wellformed
from model.reference.state import State


@click.command()
@click.option(
    "--all", "thorough", is_flag=True, help="Check every claim in full, even after a counterexample was found."
)
@asked_options()
def prove(thorough: bool, asked: Asked) -> int:
    """Prove every promise with no bound on hosts, pods, versions, epochs, requests or messages.

    It is also proved that the statement is well-formed, that every guard can be satisfied, and that spent messages may be
    forgotten. A promise that is not inductive comes with a counterexample to induction: a small state that satisfies every promise,
    and a step that breaks one. The state need not be reachable; `ondemand explore` looks for a run from the initial state.

    \b
    Examples:
      ondemand prove                                 every protocol
      ondemand prove --protocol message-queue        one protocol
      ondemand prove --variant serves_the_deleted    a variant that breaks a promise
      ondemand prove --json proofs.json              the result as JSON
    """
    console, variant = asked.console, asked.variant
    together, result = Proof([]), Result("prove")
    for protocol in asked.protocols:
        with progress_bar(f"Proving {protocol.name}") as progress:
            proof = everything(protocol, thorough=thorough, progress=lambda done, total: progress(done, "", total))
        print_proof(proof, protocol, console)
        if proof.verdict == "violated":
            where = f"--protocol {protocol.name}" if configurations.names(protocol) else "--config FILE.toml"
            command = again("explore", variant) if variant else again(f"explore {where}")
            console.print(f"To look for a run from the initial state: {command}", highlight=False, soft_wrap=True)
        result.cases += cases_of(proof, protocol)
        result.findings += findings_of(proof, protocol, variant)
        result.sections.append(section_of(proof, protocol))
        together = Proof([*together.claims, *proof.claims], together.seconds + proof.seconds)
    result.exit = EXIT_OF[together.verdict]
    result.seconds = together.seconds
    return asked.finish(result, together.as_json())


def cases_of(proof: Proof, protocol: Protocol) -> Iterator[Case]:
    """A test case for each claim."""
    for claim in proof.claims:
        why = f"{claim.verdict} {claim.because}".strip()
        yield Case(claim.name, claim.verdict, why, claim.seconds, source_of(claim.name, protocol))


def findings_of(proof: Proof, protocol: Protocol, variant: str | None) -> Iterator[Finding]:
    """What does not hold, with its counterexample."""
    command = again("prove", variant) if variant else again(f"prove --protocol {protocol.name}")
    for claim in proof.claims:
        if claim.verdict != "holds":
            small = claim.counterexample
            step = small.occurrence if small is not None else None
            yield Finding(
                claim.name,
                f"not preserved by {step}" if step is not None else f"{_said(claim)} {claim.because}".strip(),
                source_of(claim.name, protocol),
                command,
                partial(print_claim, claim, protocol),
                undecided=claim.verdict == "undecided",
            )


def _said(claim: Claim) -> str:
    return "not proved" if claim.verdict == "violated" else "undecided"


def section_of(proof: Proof, protocol: Protocol) -> Section:
    """The table of proofs, by kind of claim."""
    rows = []
    for kind in dict.fromkeys(claim.kind for claim in proof.claims):
        mine = [claim for claim in proof.claims if claim.kind == kind]
        rows.append(_row(KINDS[kind], Proof(mine, sum(claim.seconds for claim in mine))))
    columns = ("what", "claims", "checks", "seconds", "")
    return Section(f"Proved without bounds: {protocol.name}", columns, rows, details=["seconds"])


def _row(what: str, proof: Proof) -> tuple[str, ...]:
    return what, f"{len(proof.claims):,}", f"{proof.checks:,}", f"{proof.seconds:.2f}", proof.verdict


def everything(protocol: Protocol, *, thorough: bool, progress: Callable[[int, int], None]) -> Proof:
    """Well-formedness, what promises are about, and all proofs, as one proof."""
    shape = wellformed(protocol)
    proof = prove_all(protocol, thorough=thorough, progress=progress)
    empty = [
        Claim("what is promised can occur", "text", "undecided", because=why) for why in promises_nothing(protocol)
    ]
    return Proof([*shape.claims, *empty, *proof.claims], shape.seconds + proof.seconds)


KINDS = {
    "text": "the statement is well-formed",
    "alternatives": "exactly one alternative applies",
    "lifecycle": "lifecycles move only as declared",
    "numbers": "no number falls below 0",
    "always": "promises about states",
    "two-state": "promises about steps",
    "lemma": "lemmas that support them",
    "spent": "spent messages may be forgotten",
    "satisfiable": "every guard can be satisfied",
}


def print_proof(proof: Proof, protocol: Protocol, console: Console) -> None:
    """A table by kind of claim, and in full what does not hold."""
    table = section_of(proof, protocol).table()
    table.add_section()
    table.add_row(*(MARKS.get(cell, cell) for cell in _row("all", proof)), style="bold")
    console.print(table)
    for claim in proof.claims:
        if claim.verdict != "holds":
            print_claim(claim, protocol, console)


def print_claim(claim: Claim, protocol: Protocol, console: Console) -> None:
    """What is wrong with a claim: in English, and as a counterexample to induction."""
    color = "red" if claim.verdict == "violated" else "yellow"
    said = f"[{color}]{_said(claim)}: [bold]{claim.name}[/] {escape(claim.because)}[/]"
    console.print(said, highlight=False, soft_wrap=True)
    for promise in protocol.promises:
        if promise.name == claim.name:
            _print_indented(escape(" ".join(promise.doc.splitlines()[0].split())), console)
    small = claim.counterexample
    if small is None or small.occurrence is None or small.after is None:
        return
    _print_indented("A state in which every promise and lemma holds:", console)
    grid = Table.grid(padding=(0, 2))
    for name, values in _short(small.state):
        grid.add_row(name, escape(values))
    console.print(Padding(grid, (0, 0, 0, 4)))
    _print_indented(f"and a step that breaks this one: [bold]{escape(str(small.occurrence))}[/]", console)
    for line in changes_between(small.state, small.after, protocol):
        console.print(f"    {line}", highlight=False)
    if small.parameters:
        about = ", ".join(f"{name} = {value}" for name, value in small.parameters.items())
        _print_indented(f"Broken for {escape(about)}.", console)


def _print_indented(text: str, console: Console) -> None:
    console.print(Padding(text, (0, 0, 0, 2)), highlight=False)


def _short(state: State) -> list[tuple[str, str]]:
    """What is true in a state, by symbol."""
    found = []
    for name, tuples in state.relations.items():
        if tuples:
            found.append((name, " ".join(f"({','.join(map(str, arguments))})" for arguments in sorted(tuples))))
    for name, table in state.functions.items():
        values = [
            f"({','.join(map(str, key))})={value}" for key, value in sorted(table.items()) if value not in (0, "none")
        ]
        if values:
            found.append((name, " ".join(values)))
    return found
