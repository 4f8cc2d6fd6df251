"""`--direct grpc` of DPM and agents: what is for one host goes by calls of Alcor's services, in place of the host's inbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from impl.cli.wire_options import PORT, WIRE_OPTIONS, Wire, with_options
from impl.errors import BadDeployment
from impl.service.aca import AcaService
from impl.service.direct_agent import AgentServer
from impl.transport.grpc.direct import Calls
from impl.transport.grpc.endpoints import SUBSCRIPTION_PORT, Endpoint, endpoint
from impl.transport.grpc.event_loop import Loop

INBOX, GRPC = "inbox", "grpc"

OPTIONS: Final = (
    click.option(
        "--direct",
        type=click.Choice([INBOX, GRPC]),
        default=INBOX,
        show_default=True,
        help="How revisions and askings that are for one host get there: by its inbox at the broker, or by calls of Alcor's "
        "services. DPM and its agents have to agree. The options that follow are for calls.",
    ),
    *WIRE_OPTIONS,
    click.option(
        "--subscription-port",
        type=PORT,
        default=SUBSCRIPTION_PORT,
        show_default=True,
        help="Where agents are asked to subscribe.",
    ),
)


def dpm_options(command: Any) -> Any:
    """Adds what DPM has to be told of calls."""
    return with_options(
        command, *OPTIONS, click.option("--source", metavar="ADDRESS", help="The address to call from.")
    )


def agent_options(command: Any) -> Any:
    """Adds what an agent has to be told of calls."""
    return with_options(
        command,
        *OPTIONS,
        click.option("--listen", metavar="ADDRESS[:PORT]", help="This host's address, where DPM reaches it."),
        click.option("--dpm", metavar="NAME", help="What DPM's certificate says (default: dpm), or DPM's address."),
    )


def calls(options: Mapping[str, Any]) -> Calls | None:
    """DPM's calls as the options want them; none: by inboxes.

    Raises:
        BadDeployment: an option is wrong, or missing.
    """
    if not _are_wanted(options):
        return None
    wire = Wire("dpm", options)
    source = options["source"]
    if source is not None:
        endpoint(source, 0)
    return Calls(
        Loop(),
        wire.schema,
        wire.directory,
        wire.identity,
        subscription_port=options["subscription_port"],
        source=source,
    )


def server(host: str, options: Mapping[str, Any]) -> Callable[[AcaService], AgentServer] | None:
    """What makes an agent's server as the options want it; none: by its inbox.

    Raises:
        BadDeployment: an option is wrong, or missing.
    """
    if not _are_wanted(options):
        return None
    if options["listen"] is None:
        raise BadDeployment("--listen is missing; with --direct grpc it says where DPM reaches this agent")
    where, wire = endpoint(options["listen"], options["agent_port"]), Wire("aca", options)
    named = wire.directory.name_of(where.address)
    if named != host and (wire.by_address or options["hosts"] is not None):
        raise BadDeployment(f"--listen {where.address}: is the address of {named or 'no host'}, and this is {host}")
    dpm = wire.name("--dpm", options["dpm"], "dpm", None)
    subscriptions = Endpoint(where.address, options["subscription_port"])
    return lambda agent: AgentServer(Loop(), wire.schema, wire.identity, agent, where, subscriptions, dpm)


def _are_wanted(options: Mapping[str, Any]) -> bool:
    """Whether there are to be calls. An option of theirs without them would be silently ignored, so it is refused."""
    if options["direct"] == GRPC:
        return True
    context = click.get_current_context()
    for name in options:
        if name != "direct" and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} is for --direct grpc; give that too, or leave it out")
    return False
