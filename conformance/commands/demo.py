"""`ondemand demo`: the protocol on a real broker, free-running."""

from __future__ import annotations

from dataclasses import asdict

import click
from rich.table import Table

from conformance.demo import demonstrate
from conformance.exits import Exit
from conformance.report import ERRORS, console_for, json_option, write_json
from impl.broker.deployment import open_deployment


@click.command()
@json_option
def demo(json_file: str | None) -> int:
    """One NCM, one test controller in DPM's place, two hosts with a pod each, on a real broker.

    Shows that host 1 knows nothing of pod 2 until a pod of its own sends to it; how long the first packet is held; and which
    messages each agent received.

    \b
    Examples:
      ondemand demo
      PULSAR_URL=pulsar://broker:6650 ... ondemand demo    on a broker that runs already
    """
    console = console_for(json_file)
    with open_deployment(console=ERRORS) as deployment:
        seen = demonstrate(deployment, lambda sentence: console.print(sentence, highlight=False))
    table = Table(title="What each agent received", title_justify="left")
    table.add_column("agent")
    table.add_column("messages")
    for host, messages in seen.received.items():
        table.add_row(host, "\n".join(messages))
    console.print(table)
    if seen.holds:
        console.print("[green]Learned on demand; neither agent received what is the other's.[/]", highlight=False)
    else:
        console.print("[red]Something was learned or received that should not be.[/]", highlight=False)
    write_json({**asdict(seen), "verdict": "holds" if seen.holds else "violated"}, json_file)
    return int(Exit.HOLDS if seen.holds else Exit.VIOLATED)
