"""`ondemand slots`: DPM and agents where the hosts of a VPC share one topic, each with its own slot of keys."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from impl.broker.hosts import read_agent_file
from impl.cli.host import the_deployment
from impl.cli.program import Subcommands
from impl.cli.run import connected, credentials_option, log_lines, say, serve, state_option
from impl.core import Event, IllegalInput
from impl.service.slots import SlotsAcaService, SlotsDpmService
from impl.storage.store import SqliteStore
from impl.transport.pulsar import PulsarConnection


@click.group(cls=Subcommands)
@click.option("--verbose", "-v", is_flag=True, help="Log every event, also those of debug level.")
def slots(verbose: bool) -> None:
    """Run DPM or an agent with one topic for each VPC, in which every host has its own slot.

    This is the topology of the design document, repaired as far as possible. One defect remains: a slot does not isolate. A
    Byzantine host can read all of its VPC's topic, consume another host's slot while it is free, and confirm in another host's
    name. If hosts must be isolated from each other, use `ondemand run`.

    \b
    Examples:
      ondemand slots dpm
      ondemand slots aca --credentials h1.agent.json
    """
    log_lines(verbose=verbose)


@slots.command()
@state_option
def dpm(state: Path | None) -> int:
    """Run DPM. Each line of standard input is a decision:

    \b
      join VPC HOST          the host joins the VPC and gets a slot
      tell VPC HOST TEXT     a new revision of what this host is told

    Standard output reports the slot of each host, whether a revision went by the slot or directly, and when it is confirmed. DPM
    itself consumes the slots that no agent consumes, so that no host waits for one that is away.

    \b
    Example:
      . broker/environment && ondemand slots dpm
    """
    deployment = the_deployment()
    store = SqliteStore(state or Path("slots-dpm.sqlite"), "slots-dpm")
    service = TellingSlotsDpm(store, partial(connected, deployment, "dpm"), deployment)

    def decide(words: list[str]) -> None:
        match words:
            case ["join", vpc, host]:
                service.join(vpc, host).result()
            case ["tell", vpc, host, *text] if text:
                service.tell(vpc, host, " ".join(text).encode()).result()
            case _:
                raise IllegalInput(
                    f"Invalid decision {' '.join(words)!r}: expected join VPC HOST, or tell VPC HOST TEXT."
                )

    return serve(service, decide)


class TellingSlotsDpm(SlotsDpmService):
    """DPM that prints what it does and how it ends."""

    def happened(self, event: Event) -> None:
        fields = event.fields
        match event.name:
            case "slot.allot":
                say(f"joined {fields['vpc']} {fields['host']}: slot {fields['slot']}")
            case "publish" | "push":
                way = "by its slot" if event.name == "publish" else "directly"
                say(f"told {fields['vpc']} {fields['host']} revision {self.dpm.issued(fields['vpc'])} {way}")
            case "confirm":
                confirmed = self.dpm.member(fields["vpc"], fields["host"]).confirmed
                say(f"confirmed {fields['vpc']} {fields['host']} revision {confirmed}")
            case "accepted" | "declined" | "left" | "lost":
                say(f"{event.name} {fields['vpc']} {fields['host']}")


@slots.command()
@credentials_option
@state_option
def aca(credentials: Path, state: Path | None) -> int:
    """Run a host's agent. Standard output reports each revision that it applies.

    \b
    Example:
      ondemand slots aca --credentials h1.agent.json
    """
    agent = read_agent_file(credentials)
    store = SqliteStore(state or Path(f"{agent.host}.slots.sqlite"), agent.host)
    service = SlotsAcaService(agent.host, store, lambda: PulsarConnection(agent.deployment(), agent.token), _applied)
    return serve(service, None)


def _applied(vpc: str, revision: int, data: bytes) -> None:
    say(f"applied {vpc} revision {revision}: {data.decode(errors='replace')}")
