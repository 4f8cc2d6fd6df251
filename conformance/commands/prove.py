"""`ondemand prove`: every promise, without bounds."""

from __future__ import annotations

import click
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from conformance.exits import EXIT_OF
from conformance.protocols import protocol_option, variant_option, wanted
from conformance.report import (
    MARKS,
    annotate,
    console_for,
    json_option,
    junit_option,
    plain_table,
    progress_bar,
    write_json,
    write_junit,
)
from conformance.show.table import changes_between
from model.prove import Claim, Proof
from model.prove import prove as prove_all
from model.state import State
from model.wellformed import wellformed
from spec.language import Protocol


@click.command()
@click.option("--all", "thorough", is_flag=True, help="Pursue every question even after a counterexample was found.")
@protocol_option
@variant_option
@json_option
@junit_option
def prove(
    thorough: bool, protocol_name: str | None, variant: str | None, json_file: str | None, junit_file: str | None
) -> int:
    """Prove every promise with no bound on hosts, pods, versions, epochs, requests or messages.

    Also that the statement is well-formed, that every guard can be satisfied, and that spent messages may be forgotten. A
    promise that is not inductive comes with a counterexample: a small state that satisfies every promise, and a step that
    breaks one. The state need not be reachable; `ondemand explore` looks for a way from the start.

    \b
    Examples:
      ondemand prove
      ondemand prove --protocol message-queue
      ondemand prove --variant serves_the_deleted
      ondemand prove --json proofs.json
    """
    console = console_for(json_file)
    together = Proof([])
    for protocol in wanted(protocol_name, variant):
        with progress_bar(f"Proving {protocol.name}") as progress:
            proof = everything(protocol, thorough=thorough, progress=lambda done, total: progress(done, f"of {total}"))
        print_proof(proof, protocol, console)
        if proof.verdict == "violated":
            changed = f" --variant {variant}" if variant else f" --protocol {protocol.name}"
            console.print(f"Whether there is a way there from the start: ondemand explore{changed}", highlight=False)
        together = Proof([*together.claims, *proof.claims], together.seconds + proof.seconds)
    write_json(together.as_json(), json_file)
    cases = [
        (claim.name, claim.seconds, "" if claim.verdict == "holds" else f"{claim.verdict} {claim.because}".strip())
        for claim in together.claims
    ]
    write_junit("prove", cases, junit_file)
    return int(EXIT_OF[together.verdict])


def everything(protocol: Protocol, *, thorough: bool = False, progress: object = None) -> Proof:
    """Well-formedness and all proofs as one."""
    assert progress is None or callable(progress)
    shape = wellformed(protocol)
    proof = prove_all(protocol, thorough=thorough, progress=progress)
    return Proof([*shape.claims, *proof.claims], shape.seconds + proof.seconds)


KINDS = {
    "text": "the text is well-formed",
    "alternatives": "of alternatives exactly one applies",
    "lifecycle": "lifecycles move only as declared",
    "always": "promises about states",
    "two-state": "promises about steps",
    "lemma": "lemmas that carry them",
    "spent": "what is spent may be forgotten",
    "satisfiable": "every guard can be satisfied",
}


def print_proof(proof: Proof, protocol: Protocol, console: Console) -> None:
    """A table by kind of claim, and what does not hold in full."""
    figures = ("claims", "checks", "seconds")
    table = plain_table(f"Proved without bounds: {protocol.name}", left=["what"], right=figures, mark=True)
    for kind in dict.fromkeys(claim.kind for claim in proof.claims):
        of_kind = [claim for claim in proof.claims if claim.kind == kind]
        checks = sum(claim.checks + claim.trivial for claim in of_kind)
        seconds = sum(claim.seconds for claim in of_kind)
        verdict = Proof(of_kind).verdict
        table.add_row(KINDS[kind], f"{len(of_kind):,}", f"{checks:,}", f"{seconds:.2f}", MARKS[verdict])
    table.add_section()
    table.add_row(
        "all", f"{len(proof.claims):,}", f"{proof.checks:,}", f"{proof.seconds:.2f}", MARKS[proof.verdict], style="bold"
    )
    console.print(table)
    for claim in proof.claims:
        if claim.verdict != "holds":
            print_claim(claim, protocol, console)


def print_claim(claim: Claim, protocol: Protocol, console: Console) -> None:
    """What is wrong with a claim: in English, and with a counterexample to induction."""
    verdict, colour = ("not kept", "red") if claim.verdict == "violated" else ("undecided", "yellow")
    console.print(f"[{colour}]{verdict}: [bold]{claim.name}[/] {escape(claim.because)}[/]", highlight=False)
    for promise in protocol.promises:
        if promise.name == claim.name:
            _print_indented(escape(" ".join(promise.doc.splitlines()[0].split())), console)
    small = claim.counterexample
    if small is None or small.occurrence is None or small.after is None:
        annotate(claim.name, f"{verdict} {claim.because}".strip())
        return
    annotate(claim.name, f"not kept by {small.occurrence}")
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
    """What is set in a state, by symbol."""
    found = []
    for name, tuples in state.relations.items():
        if tuples:
            found.append((name, " ".join(f"({','.join(map(str, one))})" for one in sorted(tuples))))
    for name, table in state.functions.items():
        values = [
            f"({','.join(map(str, key))})={value}" for key, value in sorted(table.items()) if value not in (0, "none")
        ]
        if values:
            found.append((name, " ".join(values)))
    return found
