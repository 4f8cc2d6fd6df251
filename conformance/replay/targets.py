"""Where traces are replayed: the implementation's cores and stores over a transport, one process at a time.

A target is what a replay needs of its surroundings: connections, topics and stores. `memory` has all of it within this program;
`pulsar` has a real broker with authentication on, a connection and token for each process, topics and permissions as in a
deployment (in a namespace of its own), and stores in files. With `journal`, DPM and NCM keep their state as several instances of
them would: in a journal, on `pulsar` a topic for each trace.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console

from impl.broker import topics
from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.broker.launcher import open_deployment
from impl.broker.slot_topics import admit, prepare_vpc
from impl.broker.vpc_topics import Administration, MulticastTopics
from impl.messages import Administrative, CloseTopic, EndSubscription, OpenTopic, Permit
from impl.slots.topics import DPM, SUBSCRIPTION, acknowledgments, unicast
from impl.storage.journal import JournalStore
from impl.storage.log import Log
from impl.storage.memory_log import MemoryJournal
from impl.storage.pulsar_log import PulsarLog
from impl.storage.store import MemoryStore, SqliteStore, Store
from impl.transport.interface import Connection, Session
from impl.transport.memory import MemoryBroker
from impl.transport.pulsar import PulsarConnection

TARGETS = ("memory", "pulsar")
STORES = ("own", "journal")
"""Where DPM and NCM keep their state: in a store of their own, or in a journal that other instances could take over."""

KEEP_JOURNALS: Final = ("dpm", "ncm")

MEMORY_RECORDS_MAX: Final = 1
"""Records after a snapshot, in memory: so few that vectors restart from snapshots too. On `pulsar` they restart from records."""


def listens_to(process: str, hosts: Iterable[str]) -> list[str]:
    """The topics that a process reads: `dpm`, `ncm`, or a host's name."""
    if process == "dpm":
        return [topics.OUTCOMES, *(topics.notices(host) for host in hosts)]
    if process == "ncm":
        return [topics.GOAL_STATES, topics.HOSTS, *(topics.requests(host) for host in hosts)]
    return [topics.inbox(process)]


def reader_of(topic: str) -> str:
    """The process that reads a topic."""
    if topic == topics.OUTCOMES or topics.speaker(topic):
        return "dpm"
    return topic.removeprefix("inbox-") if topic.startswith("inbox-") else "ncm"


OpenLog = Callable[[bool], Log]
"""Opens a journal for one more instance; true: it takes over from the one that leads."""


class Target(Protocol):
    """Surroundings for replays, used for many traces one after the other."""

    name: str

    @property
    def administration(self) -> Administration:
        """Who does what DPM asks of the broker."""

    def prepare(self, hosts: Iterable[str]) -> None:
        """Makes what these hosts need, if it is not there yet."""

    def connection(self, process: str) -> Connection:
        """The process's own connection, kept over all traces."""

    def session(self, process: str) -> Session:
        """The process listens, from where it was."""

    def keep(self, process: str, session: Session) -> None:
        """Takes back a session that did not crash; the next trace may go on with it."""

    def store(self, process: str) -> Store:
        """The process's store of the present trace; opened again it has what was stored."""

    def next_trace(self) -> None:
        """Forgets all stores."""

    def journal(self) -> OpenLog:
        """A new journal of DPM's, which several instances may open."""

    def prepare_slots(self, vpc: str, hosts: Iterable[str]) -> None:
        """Makes the topics of a VPC whose hosts, which are prepared, have slots."""

    def readers(self, vpc: str) -> Readers:
        """Who may read a VPC's topic, and whose subscriptions to it exist, as the broker says."""

    def close(self) -> None:
        """Gives everything back."""


@dataclass(frozen=True, slots=True)
class Readers:
    """Hosts, as the broker knows them."""

    permitted: frozenset[str]
    attached: frozenset[str]


class MemoryAdministration:
    """The administration of a broker in memory, where nobody has a role: a host is known by the name of its subscription."""

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker

    def perform(self, work: Administrative) -> None:
        topic = topics.multicast(work.vpc)
        match work:
            case OpenTopic():
                self._broker.restrict(topic)
            case CloseTopic():
                self._broker.unsubscribe(topic)
                self._broker.restrict(topic)  # where a topic is gone, nobody comes to read it
            case Permit(host, _):
                self._broker.permit(topic, topics.reader(host))
            case EndSubscription(host, _):
                self._broker.forbid(topic, topics.reader(host))
                self._broker.end_subscription(topic, topics.reader(host))

    def close(self) -> None:
        """Nothing to give back."""


class MemoryTarget:
    """See the module."""

    name = "memory"

    def __init__(self, *, journal: bool = False) -> None:
        self._broker = MemoryBroker()
        self.administration: Administration = MemoryAdministration(self._broker)
        self._connection = self._broker.connect()
        self._journal = journal
        self._journals: dict[str, MemoryJournal] = {}
        self._stores: dict[str, MemoryStore] = {}
        self._hosts: list[str] = []

    def prepare(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            if host not in self._hosts:
                self._hosts.append(host)
        for process in ("dpm", "ncm", *self._hosts):
            for topic in listens_to(process, self._hosts):
                self._broker.subscribe(topic, _subscription(process))

    def connection(self, process: str) -> Connection:
        return self._connection

    def session(self, process: str) -> Session:
        return self._connection.open_session(_subscription(process), listens_to(process, self._hosts))

    def keep(self, process: str, session: Session) -> None:
        session.close()

    def store(self, process: str) -> Store:
        if self._journal and process in KEEP_JOURNALS:
            journal = self._journals.setdefault(process, MemoryJournal(topics.journal(process)))
            return JournalStore(journal.open, MEMORY_RECORDS_MAX)
        return self._stores.setdefault(process, MemoryStore(MEMORY_RECORDS_MAX))

    def next_trace(self) -> None:
        self._stores, self._journals = {}, {}

    def journal(self) -> OpenLog:
        journal = MemoryJournal(topics.journal("dpm"), wait_seconds=0.0)
        return lambda take_over: journal.open(take_over=take_over)

    def prepare_slots(self, vpc: str, hosts: Iterable[str]) -> None:
        self._broker.subscribe(unicast(vpc), SUBSCRIPTION)
        self._broker.subscribe(acknowledgments(vpc), DPM)

    def readers(self, vpc: str) -> Readers:
        topic = topics.multicast(vpc)
        return Readers(_hosts(self._broker.permitted(topic)), _hosts(self._broker.subscriptions(topic)))

    def close(self) -> None:
        self._connection.close()


class PulsarTarget:
    """See the module."""

    name = "pulsar"

    def __init__(self, deployment: Deployment, *, journal: bool = False) -> None:
        self._journal = journal
        tenant = deployment.namespace.split("/")[0]
        self._deployment = replace(deployment, namespace=f"{tenant}/replay-{secrets.token_hex(6)}")
        topics.prepare(self._deployment)
        self._folder = Path(tempfile.mkdtemp(prefix="ondemand-replay-"))
        self._tokens = {name: self._deployment.token(name) for name in ("dpm", "ncm")}
        self._roles: dict[str, str] = {}
        self._connections: dict[str, PulsarConnection] = {}
        self._kept: dict[str, Session] = {}
        self._hosts: list[str] = []
        self._traces = 0
        self.administration: Administration = MulticastTopics(self._deployment)
        self._admin = Admin(self._deployment)

    def prepare(self, hosts: Iterable[str]) -> None:
        for host in hosts:
            if host not in self._hosts:
                credentials = topics.provision_host(self._deployment, host)
                self._tokens[host], self._roles[host] = credentials.token, credentials.role
                self._hosts.append(host)
                for role in ("dpm", "ncm"):
                    if role in self._kept:
                        self._kept.pop(role).close()  # it does not listen to the new host

    def connection(self, process: str) -> PulsarConnection:
        if process not in self._connections:
            self._connections[process] = PulsarConnection(self._deployment, self._tokens[process])
        return self._connections[process]

    def session(self, process: str) -> Session:
        if process in self._kept:
            return self._kept.pop(process)
        return self.connection(process).open_session(_subscription(process), listens_to(process, self._hosts))

    def keep(self, process: str, session: Session) -> None:
        self._kept[process] = session

    def store(self, process: str) -> Store:
        if self._journal and process in KEEP_JOURNALS:
            return JournalStore(lambda: PulsarLog(self._deployment, self._tokens[process], self._topic(process)))
        return SqliteStore(self._folder / f"{process}-{self._traces}.sqlite", process)

    def next_trace(self) -> None:
        for left in self._folder.iterdir():
            left.unlink()
        self._traces += 1
        if self._journal:
            for process in KEEP_JOURNALS:
                topics.prepare_journal(self._deployment, process, self._topic(process))

    def journal(self) -> OpenLog:
        name = f"{self._topic('dpm')}-{secrets.token_hex(4)}"
        topics.prepare_journal(self._deployment, "dpm", name)
        return lambda take_over: PulsarLog(self._deployment, self._tokens["dpm"], name, take_over=take_over)

    def prepare_slots(self, vpc: str, hosts: Iterable[str]) -> None:
        prepare_vpc(self._deployment, vpc)
        for host in hosts:
            admit(self._deployment, vpc, self._roles[host])

    def _topic(self, process: str) -> str:
        return f"{topics.journal(process)}-{self._traces}"

    def readers(self, vpc: str) -> Readers:
        topic = topics.multicast(vpc)
        permitted = frozenset(
            topics.host_of(role) for role, may in self._admin.permissions(topic).items() if "consume" in may
        )
        return Readers(permitted, _hosts(self._admin.subscriptions(topic)))

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._admin.delete_namespace()
        self._admin.close()
        self.administration.close()


def _hosts(subscriptions: Iterable[str]) -> frozenset[str]:
    """The hosts that read by these subscriptions."""
    return frozenset(name.removeprefix(topics.reader("")) for name in subscriptions)


def _subscription(process: str) -> str:
    return process if process in ("dpm", "ncm") else "aca"


@contextmanager
def open_target(name: str, deployment: Deployment | None = None, *, store: str = "own") -> Iterator[Target]:
    """The target of this name, with one of `STORES`; `deployment` is needed for `pulsar`."""
    if name == "memory":
        target: Target = MemoryTarget(journal=store == "journal")
    else:
        assert deployment is not None
        target = PulsarTarget(deployment, journal=store == "journal")
    try:
        yield target
    finally:
        target.close()


@contextmanager
def open_with_broker(name: str, *, store: str = "own", console: Console | None = None) -> Iterator[Target]:
    """The target of this name, with one of `STORES`; where it needs a broker, the environment's, or else one that is started."""
    if name == "memory":
        with open_target(name, store=store) as target:
            yield target
    else:
        with open_deployment(console=console) as deployment, open_target(name, deployment, store=store) as target:
            yield target
