"""`ondemand step`: take steps of the role machines by hand."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from conformance import worlds
from conformance.show.table import changes_between
from model import itf
from model.machines import System, mermaid
from model.state import Occurrence, State, Trace
from spec.on_demand import PROTOCOL

HELP = "a number takes that step, u undoes one, s shows the state, w FILE writes the trace, q ends"


@click.command()
@click.option(
    "--config", default="two-hosts", show_default=True, metavar="NAME", help="A configuration, or a TOML file."
)
@click.option(
    "--mermaid", "diagram", metavar="LIFECYCLE", help="Print a lifecycle's state diagram in Mermaid, and end."
)
@worlds.variant_option
def step(config: str, diagram: str | None, variant: str | None) -> int:
    """Take steps of the role machines by hand: what is possible is listed, you choose.

    \b
    Examples:
      ondemand step
      ondemand step --config migration
      ondemand step --mermaid route_state
      printf '1\\n1\\nq\\n' | ondemand step
    """
    protocol = worlds.with_variant(variant, PROTOCOL)
    if diagram is not None:
        lifecycles = {lifecycle.name: lifecycle for lifecycle in protocol.lifecycles}
        if diagram not in lifecycles:
            raise click.UsageError(f"--mermaid {diagram}: no such lifecycle; choose among {', '.join(lifecycles)}")
        click.echo(mermaid(protocol, lifecycles[diagram]), nl=False)
        return 0
    _walk(System(protocol, worlds.find(config, PROTOCOL)), Console(highlight=False))
    return 0


def _walk(system: System, console: Console) -> None:
    states: list[State] = [system.state]
    steps: list[Occurrence] = []
    console.print(HELP)
    while True:
        enabled = system.enabled()
        for number, occurrence in enumerate(enabled, start=1):
            console.print(f"{number:3} {occurrence}")
        try:
            word = console.input(f"step {len(steps) + 1}> ").strip()
        except EOFError:
            return
        if word == "q":
            return
        if word == "u" and steps:
            steps.pop()
            states.pop()
            system.load(states[-1])
        elif word == "s":
            console.print("\n".join(changes_between(None, states[-1], system.protocol)) or "nothing yet")
        elif word.startswith("w "):
            trace = Trace(system.protocol.name, system.configuration, tuple(states), tuple(steps), "Stepped by hand.")
            itf.write(trace, Path(word[2:].strip()), system.protocol)
        elif word.isdigit() and 0 < int(word) <= len(enabled):
            chosen = enabled[int(word) - 1]
            events = system.take(chosen)
            steps.append(chosen)
            states.append(system.state)
            console.print("\n".join(f"    {line}" for line in changes_between(states[-2], states[-1], system.protocol)))
            for name, arguments in sorted(events):
                console.print(f"    {name}({', '.join(map(str, arguments))})")
        else:
            console.print(f"{word!r} is none of these: {HELP}")
