"""`ondemand run`: the services. They read decisions and packets from standard input, one in each line."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from impl.broker.deployment import Deployment
from impl.broker.event_topics import prepare as prepare_events
from impl.broker.hosts import read_agent_file
from impl.broker.topics import prepare
from impl.broker.vpc_topics import MulticastTopics
from impl.cli.console import writable
from impl.cli.direct_options import GRPC, agent_options, dpm_options, server
from impl.cli.direct_options import calls as direct_calls
from impl.cli.host import the_deployment
from impl.cli.program import Subcommands
from impl.core import Event, IllegalInput
from impl.errors import EnvironmentProblem, Unreachable
from impl.events.file import FileSink
from impl.events.recorder import Sink
from impl.events.topic import TopicSink
from impl.message_queue.thresholds import Thresholds
from impl.messages import Kind, Pod
from impl.roles.timing import Timing
from impl.service.aca import AcaService, Handlers
from impl.service.dpm import DpmService
from impl.service.loop import Service
from impl.service.ncm import NcmService
from impl.storage.journal import JournalStore
from impl.storage.pulsar_log import PulsarLog, open_log
from impl.storage.store import SqliteStore, Store
from impl.transport.grpc.direct import DirectConnection
from impl.transport.interface import Connection
from impl.transport.pulsar import PulsarConnection

BROKER: Final = "broker"
"""The value of --events for the service's own topic."""

state_option = click.option(
    "--state",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The service's store. [default: a file named after the service, such as ncm.sqlite or HOST.sqlite]",
)
credentials_option = click.option(
    "--credentials",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="The agent's file, which `ondemand host add` wrote.",
)
journal_option = click.option(
    "--journal",
    is_flag=True,
    help="Keep the state at the broker instead of a file. Of all instances with this option one leads, and the others stand by.",
)
take_over_option = click.option(
    "--take-over",
    is_flag=True,
    help="With --journal: depose the leading instance at once, instead of waiting until its connection is lost.",
)


def _event_log(context: click.Context, parameter: click.Parameter, events: str | None) -> str | None:
    return events if events == BROKER else writable(context, parameter, events)


events_option = click.option(
    "--events",
    metavar="FILE",
    callback=_event_log,
    help="Append the service's event log to this file, which no other process may write to. With `broker`, publish it to the "
    "service's own topic, from which `ondemand record` collects it. [default: keep no log]",
)
seconds = click.FloatRange(min=0, min_open=True)


@click.group(cls=Subcommands)
@click.option("--verbose", "-v", is_flag=True, help="Log every event, also those of debug level.")
def run(verbose: bool) -> None:
    """Run a service over Pulsar: dpm, ncm or aca.

    A service stops gracefully on an interrupt, and can be killed at any moment without losing state. While the broker is
    unreachable, it logs that and waits.

    \b
    Examples:
      ondemand run ncm
      ondemand run dpm
      ondemand run aca --credentials h1.agent.json
    """
    log_lines(verbose=verbose)


def log_lines(*, verbose: bool) -> None:
    """Logs to standard error, one event in each line, never wrapped: readable by people and by programs."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("ondemand")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)


@run.command()
@state_option
@journal_option
@take_over_option
@events_option
def ncm(state: Path | None, journal: bool, take_over: bool, events: str | None) -> int:
    """Run NCM.

    \b
    Examples:
      . broker/environment && ondemand run ncm
      . broker/environment && ondemand run ncm --journal    on two machines: one leads, one stands by
      ondemand run ncm --events ncm.ndjson                  with an event log in a file
      ondemand run ncm --events broker                      with an event log for ondemand record
    """
    store, connect = _as_role("ncm", state, journal=journal, take_over=take_over)
    with recording(events, partial(_topic_of, "ncm")) as sink:
        return serve(NcmService(store, connect, events=sink), None)


@contextmanager
def recording(events: str | None, topic: Callable[[], Sink]) -> Iterator[Sink | None]:
    """The sink of the event log, or None if no log is kept. `topic`: makes the sink that publishes it."""
    if events is None:
        yield None
        return
    with closing(topic() if events == BROKER else FileSink(Path(events))) as sink:
        yield sink


def _topic_of(role: str) -> TopicSink:
    """The topic for the event log of a role. It is created once the broker is reachable, if it does not exist."""
    deployment = the_deployment()

    def prepared() -> None:
        prepare_if_there(deployment)
        prepare_if_there(deployment, prepare_events)

    return TopicSink(deployment, deployment.token(role), role, prepared)


@run.command()
@state_option
@journal_option
@take_over_option
@click.option(
    "--many-ports",
    type=int,
    default=Thresholds.many_ports,
    show_default=True,
    metavar="N",
    help="Ports from which a VPC is large, so that shared state goes through its topic. Below four fifths it is small again.",
)
@click.option(
    "--many-in-a-group",
    type=int,
    default=Thresholds.many_in_a_group,
    show_default=True,
    metavar="N",
    help="The same limit for the ports of its largest security group.",
)
@click.option(
    "--patience",
    type=int,
    default=Thresholds.patience,
    show_default=True,
    metavar="N",
    help="Subscription requests to a host without an answer before DPM sends to it directly instead.",
)
@click.option(
    "--answer-wait",
    type=seconds,
    default=Timing.asked_first,
    show_default=True,
    metavar="SECONDS",
    help="Time to wait for the first answer to a subscription request; it doubles with each further request.",
)
@click.option(
    "--remind-every",
    type=seconds,
    default=Timing.remind_every,
    show_default=True,
    metavar="SECONDS",
    help="Time between two reminders to a host that has not confirmed a revision.",
)
@click.option(
    "--fail-after",
    type=seconds,
    default=Timing.confirm_max,
    show_default=True,
    metavar="SECONDS",
    help="Time after which a revision that not every host confirmed is reported as failed. Reminders continue.",
)
@events_option
@dpm_options
def dpm(
    state: Path | None,
    journal: bool,
    take_over: bool,
    events: str | None,
    many_ports: int,
    many_in_a_group: int,
    patience: int,
    answer_wait: float,
    remind_every: float,
    fail_after: float,
    **direct: Any,
) -> int:
    """Run DPM. Each line of standard input is a decision:

    \b
      place VPC/POD HOST             create a pod at a host, or move it there
      remove VPC/POD                 remove a pod
      share VPC subnet TEXT          tell all hosts of the VPC its subnets
      share VPC group-rules TEXT     tell all hosts of the VPC the rules of its security groups
      group VPC PORTS                set the number of ports of its largest security group

    Standard output reports when each decision is accepted, and later how it ended: done, superseded or failed. An accepted decision
    survives a crash of any process.

    With --direct grpc, DPM reaches a single host by calls of Alcor's services: SubscribeInfoProvisioner asks it to subscribe, and
    GoalStateProvisioner sends it a revision. The replies are the host's answers. The topics of VPCs are used as before.

    \b
    Examples:
      echo 'place red/10.0.0.1 h1' | ondemand run dpm
      ondemand run dpm --many-ports 100 --many-in-a-group 50
      ondemand run dpm --direct grpc --hosts hosts --certificate dpm.crt --key dpm.key --authority all.crt
      ondemand run dpm --direct grpc --identity address --source 127.0.0.101
    """
    decision = Thresholds.admitted(many_ports, many_in_a_group, patience)
    _check_recordable(events, direct)
    calls = direct_calls(direct)
    store, to_broker = _as_role("dpm", state, journal=journal, take_over=take_over)

    def connect() -> Connection:
        return to_broker() if calls is None else DirectConnection(to_broker(), calls)

    timing = Timing(asked_first=answer_wait, remind_every=remind_every, confirm_max=fail_after)
    with (
        closing(MulticastTopics(the_deployment())) as administration,
        recording(events, partial(_topic_of, "dpm")) as sink,
    ):
        service = TellingDpm(store, connect, timing, administration=administration, decision=decision, events=sink)
        if calls is not None:
            calls.reply_to(service.hear)
        return serve(service, partial(_decide, service))


def _check_recordable(events: str | None, direct: Mapping[str, Any]) -> None:
    if events is not None and direct["direct"] == GRPC:
        raise click.UsageError(
            "--events with --direct grpc: calls carry no message ids, and no line would record the replies; leave one of them out"
        )


def _decide(service: DpmService, words: list[str]) -> None:
    match words:
        case ["place", pod, host]:
            service.place(pod_of(pod), host).result()
        case ["remove", pod]:
            service.remove(pod_of(pod)).result()
        case ["share", vpc, kind, *text]:
            service.revise(vpc, _kind(kind), " ".join(text).encode()).result()
        case ["group", vpc, ports] if ports.isdecimal():
            service.regroup(vpc, int(ports)).result()
        case _:
            raise IllegalInput(
                f"Invalid decision {' '.join(words)!r}: expected place VPC/POD HOST, remove VPC/POD, share VPC KIND TEXT, "
                "or group VPC PORTS."
            )


@run.command()
@credentials_option
@state_option
@events_option
@agent_options
def aca(credentials: Path, state: Path | None, events: str | None, **direct: Any) -> int:
    """Run a host's agent. Each line of standard input is a packet: `packet VPC/SOURCE VPC/DESTINATION`.

    Standard output reports what happens to each packet, and each revision of shared state that the agent applies.

    With --direct grpc the agent serves DPM's calls at this host's address; see `ondemand run dpm --help`. All other messages still
    go through the broker.

    \b
    Examples:
      ondemand run aca --credentials h1.agent.json
      ondemand run aca --credentials h1.agent.json --events h1.ndjson    with an event log in a file
      ondemand run aca --credentials h1.agent.json --direct grpc --listen 10.0.0.1 \\
          --certificate h1.crt --key h1.key --authority all.crt
      ondemand run aca --credentials 127-0-0-1.agent.json --direct grpc --listen 127.0.0.1 --identity address --dpm 127.0.0.101
    """
    agent = read_agent_file(credentials)
    _check_recordable(events, direct)
    make_server = server(agent.host, direct)
    with recording(events, lambda: TopicSink(agent.deployment(), agent.token, agent.host)) as sink:
        service = AcaService(
            agent.host,
            SqliteStore(state or Path(f"{agent.host}.sqlite"), agent.host),
            lambda: PulsarConnection(agent.deployment(), agent.token),
            Printing(),
            handlers=Handlers(subnet=partial(_applied, Kind.SUBNET), group_rules=partial(_applied, Kind.GROUP_RULES)),
            events=sink,
        )
        if make_server is None:
            return serve(service, partial(send, service, "VPC"))
        with closing(make_server(service).open()):
            return serve(service, partial(send, service, "VPC"))


def send(service: AcaService, vpc: str, words: list[str]) -> None:
    """Sends the packet that a line names. `vpc`: what stands before an address.

    Raises:
        IllegalInput: the line names none.
    """
    match words:
        case ["packet", source, destination]:
            service.packet(pod_of(source), pod_of(destination)).result()
        case _:
            said = " ".join(words)
            raise IllegalInput(f"Invalid packet {said!r}: expected packet {vpc}/SOURCE {vpc}/DESTINATION.")


def _as_role(
    role: str, state: Path | None, *, journal: bool, take_over: bool
) -> tuple[Store, Callable[[], PulsarConnection]]:
    """The store of DPM or NCM, and a function that connects it to the broker.

    The deployment is prepared once the broker is reachable, if it was not.
    """
    if journal and state is not None:
        raise click.UsageError(
            "--state names a file, but --journal keeps the state at the broker; leave one of them out"
        )
    if take_over and not journal:
        raise click.UsageError("--take-over needs --journal; to move a store in a file, stop the service that uses it")
    deployment = the_deployment()

    def connect() -> PulsarConnection:
        return connected(deployment, role, displaces=journal)

    def open_journal() -> PulsarLog:
        prepare_if_there(deployment)
        return open_log(deployment, role, take_over=take_over)

    store = JournalStore(open_journal) if journal else SqliteStore(state or Path(f"{role}.sqlite"), role)
    return store, connect


def connected(deployment: Deployment, role: str, *, displaces: bool = False) -> PulsarConnection:
    """The connection of a role to its deployment, which is prepared first.

    Raises:
        Unreachable: the broker cannot be reached (yet).
    """
    prepare_if_there(deployment)
    return PulsarConnection(deployment, deployment.token(role), displaces=displaces)


def prepare_if_there(deployment: Deployment, prepare: Callable[[Deployment], None] = prepare) -> None:
    """Prepares a deployment. `prepare`: creates what is needed at the broker.

    Raises:
        Unreachable: the broker cannot be reached (yet); the caller tries again.
    """
    try:
        prepare(deployment)
    except EnvironmentProblem as problem:
        raise Unreachable(str(problem)) from problem


class TellingDpm(DpmService):
    """DPM that prints each decision that it accepts, and how it ended."""

    def happened(self, event: Event) -> None:
        super().happened(event)
        fields = event.fields
        match event.name:
            case "revise":
                say(f"accepted {fields['vpc']} revision {fields['revision']}")
            case "revision ended":
                say(f"{fields['outcome']} {fields['vpc']} revision {fields['revision']}")
            case "switch":
                say(f"switched {fields['vpc']} to {fields['channel']}")
            case "issue":
                say(f"accepted {fields['pod']} version {fields['version']}: {_at(fields['place'])}")
            case "complete":
                say(f"{fields['outcome']} {fields['pod']} version {fields['version']}")


class Printing:
    """A dataplane that prints what happens to each packet."""

    def forward(self, source: Pod, destination: Pod, place: str) -> None:
        say(f"forward {source} {destination} to {place}")

    def drop(self, source: Pod, destination: Pod, reason: str) -> None:
        say(f"drop {source} {destination}: {reason}")


def _applied(kind: Kind, vpc: str, revision: int, data: bytes) -> None:
    say(f"applied {vpc} revision {revision} {kind.value}: {data.decode(errors='replace')}")


def _at(place: str | None) -> str:
    return f"at {place}" if place is not None else "gone"


def say(line: str) -> None:
    """Prints a line to standard output. A closed pipe does not stop the service."""
    try:
        click.echo(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def pod_of(text: str) -> Pod:
    """The pod that the text VPC/ADDRESS names.

    Raises:
        IllegalInput: the text has another form.
    """
    vpc, _, address = text.partition("/")
    if not vpc or not address:
        raise IllegalInput(f"Invalid pod {text!r}: expected VPC/ADDRESS.")
    return Pod(vpc, address)


def _kind(text: str) -> Kind:
    kinds = {kind.value: kind for kind in Kind}
    if text not in kinds:
        raise IllegalInput(f"Unknown kind of shared state {text!r}: expected {' or '.join(kinds)}.")
    return kinds[text]


def serve(service: Service, command: Callable[[list[str]], None] | None) -> int:
    """Runs a service until it is interrupted. Lines of standard input become commands."""
    for signalled in (signal.SIGINT, signal.SIGTERM):
        # From another thread: the interrupted thread may hold the lock that stopping needs.
        signal.signal(signalled, lambda *_: threading.Thread(target=service.stop).start())
    if command is not None:
        threading.Thread(target=_read, args=(service, command), daemon=True).start()
    service.run()
    return 0


def _read(service: Service, command: Callable[[list[str]], None]) -> None:
    service.ready.wait()
    for line in sys.stdin:
        if line.strip():
            try:
                command(line.split())
            except IllegalInput as problem:
                click.echo(f"refused: {problem}", err=True)
            except RuntimeError as problem:
                click.echo(str(problem), err=True)
                return
