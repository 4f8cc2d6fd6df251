"""`ondemand-service`: the services alone, without provers and specifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from impl.cli.program import Command, Commands, run_program

SERVICES: Final[Mapping[str, Command]] = {
    "run": Command("impl.cli.run", "Run a service over Pulsar: dpm, ncm or aca."),
    "alcor": Command("impl.cli.alcor", "Run a service over Alcor's gRPC interfaces, without a broker."),
    "slots": Command("impl.cli.slots", "Run DPM or an agent with one topic for each VPC, divided into slots."),
    "host": Command("impl.cli.host", "Register a host, or remove one."),
    "broker": Command("impl.cli.broker", "Start a Pulsar broker."),
}
"""Both programs have these commands."""


@click.group("ondemand-service", cls=Commands, table=SERVICES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alcor-on-demand")
def program() -> None:
    """Alcor's on-demand protocol: DPM, NCM and agents as services.

    \b
    Examples:
      ondemand-service run ncm                              NCM, on the broker that PULSAR_URL names
      ondemand-service host add h1                          register a host
      ondemand-service run aca --credentials h1.agent.json  the agent of that host
    """


def main() -> None:
    """Run a command."""
    run_program(program)


if __name__ == "__main__":
    main()
