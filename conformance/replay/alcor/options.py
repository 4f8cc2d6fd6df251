"""What `ondemand replay` is asked for, where the target is an NCM of Alcor: its options, and what they lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click
from click.core import ParameterSource

from conformance.replay.alcor.live_replays import SCHEME, LiveReplays, parse_where, replay_live
from conformance.replay.alcor.peers import Where
from conformance.replay.alcor.probes import PROBES
from conformance.replay.replays import Vector
from conformance.replay.targets import TARGETS
from impl.cli.console import progress_bar
from impl.cli.exits import Exit, Problem
from impl.transport.grpc.endpoints import AGENT_PORT
from impl.wire.alcor.schema import NUMBERINGS, PIN, schema
from spec.on_demand.protocol import PROTOCOL


class TargetName(click.ParamType[str]):
    """One of our own targets, or an NCM of Alcor that runs."""

    name = "target"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        return f"[{'|'.join(TARGETS)}|{SCHEME}HOST:PORT]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in TARGETS and not value.startswith(SCHEME):
            names = ", ".join(map(repr, (*TARGETS, f"{SCHEME}HOST:PORT")))
            self.fail(f"{value!r} is not one of {names}", param, ctx)
        return value


OPTIONS: Final = (
    click.option(
        "--numbering", type=click.Choice(NUMBERINGS), default=PIN, show_default=True, help="Of Alcor's messages."
    ),
    click.option(
        "--controller",
        metavar="ADDRESS",
        default="127.0.0.101",
        show_default=True,
        help="The address of this machine from which DPM calls Alcor's NCM.",
    ),
    click.option(
        "--first-host",
        metavar="ADDRESS",
        default="127.0.0.1",
        show_default=True,
        help="The first host's address; the others have the next ones. Alcor's NCM has to reach them.",
    ),
    click.option(
        "--agent-port",
        type=click.IntRange(1, 65535),
        default=AGENT_PORT,
        show_default=True,
        help="Where Alcor's NCM calls hosts back.",
    ),
)
"""Of how Alcor's NCM is spoken to."""


def is_live(target: str) -> bool:
    """The target is an NCM of Alcor that runs."""
    return target.startswith(SCHEME)


def check_options(target: str, options: Mapping[str, Any]) -> None:
    """Options of another target than the one that is meant are slips, and addresses have to be some.

    Raises:
        Problem: an option of another target was given.
        BadDeployment: an address is none.
    """
    context = click.get_current_context()
    live = is_live(target)
    for name in ("store",) if live else ("numbering", "controller", "first_host", "agent_port"):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            meant = "memory and pulsar" if live else f"{SCHEME}HOST:PORT"
            raise Problem(f"{option} is for target {meant} only; leave it out", Exit.BAD_INPUT)
    if live:
        _where(target, options)


def _where(target: str, options: Mapping[str, Any]) -> Where:
    return parse_where(target, options["controller"], options["first_host"], options["agent_port"])


def replay_asked(target: str, vectors: Sequence[Vector], options: Mapping[str, Any], *, alone: bool) -> LiveReplays:
    """Holds the NCM that is the target against these vectors; `alone`: and against nothing else."""
    probes = () if alone else PROBES
    with progress_bar("Replaying", len(vectors) + len(probes)) as progress:
        return replay_live(
            vectors,
            PROTOCOL,
            _where(target, options),
            schema(options["numbering"]),
            probes=probes,
            progress=progress,
        )
