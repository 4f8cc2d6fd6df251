"""`ondemand broker`: a broker of our own."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from conformance.exits import Exit, Problem
from conformance.report import ERRORS
from impl.broker.launcher import start_broker
from impl.broker.tokens import write_secret
from impl.broker.topics import prepare


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
    help="Where token and key go.",
)
def up(port: int, admin_port: int, folder: Path) -> int:
    """Start a broker with token authentication and permissions, and run it until it is interrupted.

    The first start downloads the broker (about 245 MB). Its data ends with it. In another shell, load the settings that it
    writes, and the other commands use this broker.

    \b
    Examples:
      ondemand broker up
      . broker/environment && ondemand host add h1
    """
    stopped = threading.Event()
    for signalled in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signalled, lambda *_: stopped.set())
    with start_broker(port=port, admin_port=admin_port, console=ERRORS) as deployment:
        prepare(deployment)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            token = write_secret(folder / "admin.token", deployment.admin_token)
            key = write_secret(folder / "signing.key", deployment.signing_key)
        except OSError as problem:
            raise Problem(
                f"{folder}: cannot be written ({problem.strerror}); choose another --folder", Exit.BAD_INPUT
            ) from problem
        settings = {
            "PULSAR_URL": deployment.service_url,
            "PULSAR_ADMIN_URL": deployment.admin_url,
            "PULSAR_ADMIN_TOKEN_FILE": str(token.resolve()),
            "PULSAR_SIGNING_KEY_FILE": str(key.resolve()),
        }
        text = "".join(f"export {name}='{value}'\n" for name, value in settings.items())
        (folder / "environment").write_text(text, encoding="utf-8")
        click.echo(f"The broker listens at {deployment.service_url}. In another shell: . {folder / 'environment'}")
        stopped.wait()
    click.echo("The broker has stopped.")
    return 0
