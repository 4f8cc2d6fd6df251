"""`ondemand host`: registers hosts, and removes them."""

from __future__ import annotations

from pathlib import Path

import click

from impl.broker.deployment import Deployment, from_environment
from impl.broker.hosts import add_host, remove_host, write_agent_file
from impl.broker.topics import prepare
from impl.errors import BadDeployment


def the_deployment() -> Deployment:
    """The broker of the environment; registering a host with one that ends at once would be of no use."""
    deployment = from_environment()
    if deployment is None:
        raise BadDeployment("PULSAR_URL is not set; start a broker with `ondemand broker up`, and set what it says")
    return deployment


@click.group()
def host() -> None:
    """Register a host, or remove one."""


@host.command()
@click.argument("name")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the agent's file goes (default: NAME.agent.json).",
)
def add(name: str, credentials: Path | None) -> int:
    """Register a host: topics, permissions and a token of its own; NCM listens to it at once.

    A host that is registered anew gets a new token, and the earlier one opens nothing any more.

    \b
    Examples:
      ondemand host add h1
      ondemand host add h1 --credentials /etc/ondemand/agent.json
    """
    deployment = the_deployment()
    prepare(deployment)
    path = credentials or Path(f"{name}.agent.json")
    write_agent_file(add_host(deployment, name), path)
    click.echo(f"Host {name} is registered; its agent runs with: ondemand run aca --credentials {path}")
    return 0


@host.command()
@click.argument("name")
def remove(name: str) -> int:
    """Deregister a host, and remove its topics with everything in them.

    \b
    Example:
      ondemand host remove h1
    """
    remove_host(the_deployment(), name)
    click.echo(f"Host {name} is removed.")
    return 0
