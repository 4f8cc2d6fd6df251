"""`ondemand demo`: the protocol on a real broker, free-running."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path

import click

from conformance.bench.demonstration import demonstrate, described
from conformance.report.result import Case, Finding, Result
from conformance.report.writing import Outputs, outputs_options
from impl.broker.launcher import open_deployment
from impl.cli.console import ERRORS, console_for, json_option, write_json
from impl.cli.exits import Exit
from impl.events.file import FileSink


@click.command()
@click.option(
    "--events",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Append the event logs of all four processes to this file. [default: keep none]",
)
@json_option
@outputs_options
def demo(events: Path | None, json_file: str | None, outputs: Outputs) -> int:
    """One NCM, one test controller in DPM's place, two hosts with a pod each, on a real broker.

    Shows that host 1 knows nothing of pod 2 until a pod of its own sends to it; how long the first packet is held; and which
    messages each agent received.

    \b
    Examples:
      ondemand demo
      ondemand demo --events demo.ndjson                   and write down what all four processes do
      PULSAR_URL=pulsar://broker:6650 ... ondemand demo    on a broker that runs already
    """
    console = console_for(json_file)
    with closing(FileSink(events)) if events else nullcontext() as sink, open_deployment(console=ERRORS) as deployment:
        seen = demonstrate(deployment, lambda sentence: console.print(sentence, highlight=False, soft_wrap=True), sink)
    for host, messages in seen.received.items():
        console.print(f"\nThe agent of {host} received:", highlight=False)
        for message in messages:
            console.print(f"  {described(message)}", highlight=False, soft_wrap=True)
    console.print()
    result = Result("demo", Exit.HOLDS if seen.holds else Exit.VIOLATED)
    for claim, holds in (
        ("Host h1 learned of the remote pod on demand, and not before.", seen.learned_on_demand),
        ("Neither agent received what is the other's.", seen.neither_received_the_others),
    ):
        console.print(f"[green]✓[/] {claim}" if holds else f"[red]✗ This does not hold:[/] {claim}", highlight=False)
        result.cases.append(Case(claim, "holds" if holds else "violated", "this does not hold"))
        result.findings += [Finding("demo", f"This does not hold: {claim}")] * (not holds)
    write_json(seen.as_json(), json_file)
    result.figures.append(f"the first packet was held for {seen.first_packet_ms:.1f} ms")
    outputs.write(result)
    return int(result.exit)
