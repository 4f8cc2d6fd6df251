"""The options of `--direct grpc`: DPM calls Alcor's services of an agent, instead of writing to the host's inbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from impl.cli.console import options
from impl.cli.wire_options import PORT, WIRE_OPTIONS, Wire
from impl.errors import BadDeployment
from impl.service.aca import AcaService
from impl.service.direct_agent import AgentServer
from impl.transport.grpc.direct import Calls
from impl.transport.grpc.endpoints import SUBSCRIPTION_PORT, Endpoint, endpoint
from impl.transport.grpc.event_loop import Loop

INBOX, GRPC = "inbox", "grpc"

dpm_name_option: Final = click.option(
    "--dpm",
    metavar="NAME",
    help="The name in DPM's certificate, or with --identity address DPM's address. [default: dpm]",
)

OPTIONS: Final = (
    click.option(
        "--direct",
        type=click.Choice([INBOX, GRPC]),
        default=INBOX,
        show_default=True,
        help="How DPM sends revisions and subscription requests to a single host: through its inbox at the broker, or by calls of "
        "Alcor's gRPC services. DPM and its agents must use the same. The options that follow are for grpc only.",
    ),
    *WIRE_OPTIONS,
    click.option(
        "--subscription-port",
        type=PORT,
        default=SUBSCRIPTION_PORT,
        show_default=True,
        help="The port at which agents take subscription requests.",
    ),
)


dpm_options: Final = options(
    *OPTIONS, click.option("--source", metavar="ADDRESS", help="The local address from which DPM calls.")
)
"""Adds DPM's options for calls."""

agent_options: Final = options(
    *OPTIONS,
    click.option("--listen", metavar="ADDRESS[:PORT]", help="This host's address, at which DPM reaches the agent."),
    dpm_name_option,
)
"""Adds an agent's options for calls."""


def calls(given: Mapping[str, Any]) -> Calls | None:
    """DPM's calls as the options configure them; None without --direct grpc.

    Raises:
        BadDeployment: an option is wrong or missing.
    """
    if not _are_wanted(given):
        return None
    wire = Wire("dpm", given)
    source = given["source"]
    if source is not None:
        endpoint(source, 0)
    return Calls(
        Loop(),
        wire.schema,
        wire.directory,
        wire.identity,
        subscription_port=given["subscription_port"],
        source=source,
    )


def server(host: str, given: Mapping[str, Any]) -> Callable[[AcaService], AgentServer] | None:
    """A factory for an agent's server as the options configure it; None without --direct grpc.

    Raises:
        BadDeployment: an option is wrong or missing.
    """
    if not _are_wanted(given):
        return None
    if given["listen"] is None:
        raise BadDeployment("--listen is missing; --direct grpc needs the address at which DPM reaches this agent")
    where, wire = endpoint(given["listen"], given["agent_port"]), Wire("aca", given)
    named = wire.directory.name_of(where.address)
    if named != host and (wire.by_address or given["hosts"] is not None):
        raise BadDeployment(
            f"--listen {where.address}: belongs to {named or 'no host'} and not to {host}; correct it, or the file of --hosts"
        )
    dpm = wire.name("--dpm", given["dpm"], "dpm", None)
    subscriptions = Endpoint(where.address, given["subscription_port"])
    return lambda agent: AgentServer(Loop(), wire.schema, wire.identity, agent, where, subscriptions, dpm)


def _are_wanted(given: Mapping[str, Any]) -> bool:
    """Whether --direct grpc is given. Without it, an option for calls would be ignored silently, so it is refused."""
    if given["direct"] == GRPC:
        return True
    context = click.get_current_context()
    for name in given:
        if name != "direct" and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} needs --direct grpc; add that, or leave the option out")
    return False
