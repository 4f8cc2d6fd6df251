"""`ondemand host`: registers and removes hosts."""

from __future__ import annotations

from pathlib import Path

import click

from impl.broker.deployment import Deployment, from_environment
from impl.broker.hosts import add_host, remove_host, write_agent_file
from impl.broker.topics import checked_host_name, prepare
from impl.cli.program import Subcommands
from impl.errors import BadDeployment


def the_deployment() -> Deployment:
    """The deployment that the environment names.

    Raises:
        BadDeployment: there is none.
    """
    deployment = from_environment()
    if deployment is None:
        raise BadDeployment(
            "PULSAR_URL is not set; start a broker with `ondemand broker up`, and load the settings that it writes"
        )
    return deployment


@click.group(cls=Subcommands)
def host() -> None:
    """Register a host, or remove one.

    \b
    Examples:
      ondemand host add h1
      ondemand host remove h1
    """


@host.command()
@click.argument("name")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file for the agent's address and token. [default: NAME.agent.json]",
)
def add(name: str, credentials: Path | None) -> int:
    """Register a host with its own topics, permissions and token.

    NCM listens to the host at once. Registering a host again issues a new token and revokes the earlier one.

    \b
    Examples:
      ondemand host add h1
      ondemand host add h1 --credentials /etc/ondemand/agent.json
    """
    checked_host_name(name)
    deployment = the_deployment()
    prepare(deployment)
    path = credentials or Path(f"{name}.agent.json")
    write_agent_file(add_host(deployment, name), path)
    click.echo(f"Host {name} is registered. Run its agent with: ondemand run aca --credentials {path}")
    return 0


@host.command()
@click.argument("name")
def remove(name: str) -> int:
    """Deregister a host, and delete its topics with their messages.

    \b
    Example:
      ondemand host remove h1
    """
    remove_host(the_deployment(), name)
    click.echo(f"Host {name} is removed.")
    return 0
