"""`ondemand prove`: every promise, without bounds."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from conformance.exits import Exit
from conformance.report import (
    MARKS,
    annotate,
    console_for,
    json_option,
    junit_option,
    progress_bar,
    write_json,
    write_junit,
)
from conformance.worlds import variant_option, with_variant
from model.prove import Claim, Proof
from model.prove import prove as prove_all
from model.state import State
from model.wellformed import wellformed
from spec.language import Protocol
from spec.on_demand import PROTOCOL

EXITS = {"holds": Exit.HOLDS, "violated": Exit.VIOLATED, "undecided": Exit.UNDECIDED}


@click.command()
@click.option("--all", "thorough", is_flag=True, help="Pursue every question even after a counterexample was found.")
@variant_option
@json_option
@junit_option
def prove(thorough: bool, variant: str | None, json_file: str | None, junit_file: str | None) -> int:
    """Prove every promise with no bound on hosts, pods, versions, epochs, requests or messages.

    Also that the statement is well-formed, that every guard can be satisfied, and that spent messages may be forgotten. A
    promise that is not inductive comes with a counterexample: a small state that satisfies every promise, and a step that
    breaks one. The state need not be reachable; `ondemand explore` looks for a way from the start.

    \b
    Examples:
      ondemand prove
      ondemand prove --variant serves_the_deleted
      ondemand prove --json proofs.json
    """
    protocol = with_variant(variant, PROTOCOL)
    with progress_bar("Proving") as progress:
        proof = everything(protocol, thorough=thorough, progress=lambda done, total: progress(done, f"of {total}"))
    console = console_for(json_file)
    print_proof(proof, protocol, console)
    write_json(proof.as_json(), json_file)
    cases = [
        (claim.name, claim.seconds, "" if claim.verdict == "holds" else f"{claim.verdict} {claim.because}")
        for claim in proof.claims
    ]
    write_junit("prove", cases, junit_file)
    return int(EXITS[proof.verdict])


def everything(protocol: Protocol, *, thorough: bool = False, progress: object = None) -> Proof:
    """Well-formedness and all proofs as one."""
    assert progress is None or callable(progress)
    shape = wellformed(protocol)
    proof = prove_all(protocol, thorough=thorough, progress=progress)
    return Proof([*shape.claims, *proof.claims], shape.seconds + proof.seconds)


def print_proof(proof: Proof, protocol: Protocol, console: Console) -> None:
    """A table by kind of claim, and what does not hold in full."""
    table = Table(title="Proved without bounds", title_justify="left")
    for column in ("claims", "how many", "checks", "seconds", ""):
        table.add_column(column, justify="left" if column in ("claims", "") else "right")
    for kind in dict.fromkeys(claim.kind for claim in proof.claims):
        of_kind = [claim for claim in proof.claims if claim.kind == kind]
        checks = sum(claim.checks + claim.trivial for claim in of_kind)
        seconds = sum(claim.seconds for claim in of_kind)
        verdicts = {claim.verdict for claim in of_kind}
        verdict = "violated" if "violated" in verdicts else "undecided" if "undecided" in verdicts else "holds"
        table.add_row(kind, str(len(of_kind)), str(checks), f"{seconds:.2f}", MARKS[verdict])
    table.add_section()
    table.add_row("all", str(len(proof.claims)), str(proof.checks), f"{proof.seconds:.2f}", MARKS[proof.verdict])
    console.print(table)
    for claim in proof.claims:
        if claim.verdict != "holds":
            print_claim(claim, protocol, console)


def print_claim(claim: Claim, protocol: Protocol, console: Console) -> None:
    """What is wrong with a claim: in English, and with a counterexample to induction."""
    colour = "red" if claim.verdict == "violated" else "yellow"
    console.print(f"[{colour}]{claim.verdict}: {claim.name}[/] {claim.because}", highlight=False)
    for promise in protocol.promises:
        if promise.name == claim.name:
            console.print(f"  {promise.doc.splitlines()[0]}", highlight=False)
    small = claim.counterexample
    if small is not None and small.occurrence is not None and small.after is not None:
        console.print(
            "  A state that satisfies every promise and lemma, and a step that breaks this one:", highlight=False
        )
        for line in _short(small.state):
            console.print(f"    {line}", highlight=False)
        console.print(f"    step: [bold]{small.occurrence}[/]", highlight=False)
        if small.parameters:
            about = ", ".join(f"{name}={value}" for name, value in small.parameters.items())
            console.print(f"    about: {about}", highlight=False)
        annotate(claim.name, f"not kept by {small.occurrence}")


def _short(state: State) -> list[str]:
    """What is set in a state, one symbol a line."""
    lines = []
    for name, tuples in state.relations.items():
        if tuples:
            lines.append(f"{name}: " + ", ".join(f"({', '.join(map(str, one))})" for one in sorted(tuples)))
    for name, table in state.functions.items():
        values = [
            f"({', '.join(map(str, key))})={value}" for key, value in sorted(table.items()) if value not in (0, "none")
        ]
        if values:
            lines.append(f"{name}: {', '.join(values)}")
    return lines
