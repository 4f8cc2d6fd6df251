"""`ondemand broker`: a broker of our own."""

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

LOOK_SECONDS: Final = 0.5
"""Between two looks at whether the broker still runs."""


@click.group()
def broker() -> None:
    """Start a Pulsar broker."""


@broker.command()
@click.option(
    "--port", type=click.IntRange(0, 65535), default=6650, show_default=True, help="For clients; 0 takes a free one."
)
@click.option(
    "--admin-port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="For administration."
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("broker"),
    show_default=True,
    help="Where its data, token and key are kept.",
)
def up(port: int, admin_port: int, folder: Path) -> int:
    """Start a broker with token authentication and permissions, and run it until it is interrupted.

    The first start downloads the broker (about 245 MB). It may be stopped and started again: the folder keeps its data and its
    key. In another shell, load the settings that it writes, and the other commands use this broker.

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
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as an interrupt, at any moment of the start too
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
            raise Problem(f"The broker ended by itself: {last_words(folder)}", Exit.ENVIRONMENT)
    click.echo("The broker has stopped.")
    return 0


def _write_settings(deployment: Deployment, folder: Path) -> Path:
    """Writes what another shell needs to find the broker."""
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
