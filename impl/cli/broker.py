"""`ondemand broker`: starts a Pulsar broker."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from shlex import quote
from typing import Final

import click

from impl.broker.deployment import Deployment
from impl.broker.tokens import write_secret
from impl.broker.topics import prepare
from impl.cli.console import ERRORS
from impl.cli.exits import Exit, Problem
from impl.cli.program import Subcommands

LOOK_SECONDS: Final = 0.5
"""Time between two checks that the broker still runs."""


@click.group(cls=Subcommands)
def broker() -> None:
    """Start a Pulsar broker.

    \b
    Example:
      ondemand broker up
    """


@broker.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=6650,
    show_default=True,
    help="The port for clients; 0 picks a free one.",
)
@click.option(
    "--admin-port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The port for administration; 0 picks a free one.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("broker"),
    show_default=True,
    help="The folder for the broker's data, token and key.",
)
def up(port: int, admin_port: int, folder: Path) -> int:
    """Start a broker with token authentication and permissions, and run it until it is interrupted.

    The first start downloads the broker (about 245 MB). The broker can be stopped and started again: the folder keeps its data and
    its key. Load the settings that it writes into another shell, and the commands in that shell use this broker.

    \b
    Examples:
      ondemand broker up
      . broker/environment && ondemand host add h1
    """
    try:
        from impl.broker.launcher import is_running, last_words, start_broker
    except ModuleNotFoundError as missing:
        raise Problem(
            f"Starting a broker needs the Python package {missing.name}: install alcor-on-demand[check], or set PULSAR_URL to a "
            "broker that runs elsewhere",
            Exit.ENVIRONMENT,
        ) from missing
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # like an interrupt, also during the start
    with start_broker(port=port, admin_port=admin_port, folder=folder, console=ERRORS) as deployment:
        prepare(deployment)
        settings = _write_settings(deployment, folder.resolve())
        click.echo(f"The broker listens at {deployment.service_url}. In another shell: . {settings}")
        try:
            while is_running(folder):
                time.sleep(LOOK_SECONDS)
        except KeyboardInterrupt:
            pass
        else:
            raise Problem(f"The broker stopped unexpectedly: {last_words(folder)}", Exit.ENVIRONMENT)
    click.echo("The broker has stopped.")
    return 0


def _write_settings(deployment: Deployment, folder: Path) -> Path:
    """Writes the file of settings with which another shell finds the broker; returns its path."""
    token = write_secret(folder / "admin.token", deployment.admin_token)
    settings = {
        "PULSAR_URL": deployment.service_url,
        "PULSAR_ADMIN_URL": deployment.admin_url,
        "PULSAR_ADMIN_TOKEN_FILE": str(token),
        "PULSAR_SIGNING_KEY_FILE": str(folder / "signing.key"),
    }
    path = folder / "environment"
    path.write_text("".join(f"export {name}={quote(value)}\n" for name, value in settings.items()), encoding="utf-8")
    return path
