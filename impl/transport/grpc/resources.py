"""DPM's networks and ports: stored, checked, and turned into what a host is told.

A port gives the place of its addresses: each is a pod, and the port's revision is the pod's version. Revisions of one address must
grow across all ports that ever have it. A neighbor adds nothing new: it must agree with its port, and goes to the hosts that ask
for it. Networks and subnets are descriptions, and accompany every port and neighbor, since an agent needs them.

| unset or zero field | interpretation |
|---|---|
| revision of anything | refused: nothing could be ordered by it, and an agent of Alcor may crash on it |
| operation of a port or neighbor (reads as INFO) | refused: it neither creates nor deletes |
| operation of a network or subnet (reads as INFO) | a description, like CREATE and UPDATE |
| `admin_state_up` of a port that is placed | refused: an agent of Alcor may crash on it |
| `update_type` of a port that is placed (reads as DELTA) | refused: a part would be taken for the whole |
| device and owner of a port that is updated | the port is deleted, as an agent of Alcor interprets it |
| `tunnel_id` of a network | refused: no request could name it |
| `tunnel_id` of a subnet | the network's; a different one is refused |
| host of a port that is placed | refused, unless the list of a host names the port |
"""

from __future__ import annotations

import ipaddress
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from impl.errors import BadDeployment, EnvironmentProblem
from impl.messages import Config, Pod
from impl.transport.grpc.directory import Directory
from impl.wire.alcor.schema import Schema

VNI_MAX: Final = 2**24 - 1
IDENTIFIER_CHARACTERS_MAX: Final = 253
DEAD_LETTERS_MAX: Final = 1_000
"""The number of dead letters kept; older ones are removed."""
FORMAT_VERSION: Final = 102
"""`format_version` of the goal states that DPM sends, and of ours."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A resource that is rejected, and the reason."""

    kind: str
    """The kind of the resource: a member of `ResourceType`."""
    id: str
    operation: int
    sentence: str


class GoalStateRefused(Exception):
    """Nothing of a goal state was accepted."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{problem.kind} {problem.id!r}: {problem.sentence}" for problem in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Change:
    """The changes that one resource of a goal state requests from NCM."""

    kind: str
    id: str
    operation: int
    configs: tuple[Config, ...]
    """Empty: the resource contains nothing new to NCM."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a host is told of one version of a pod."""

    goal: Any = field(repr=False)
    """A `GoalStateV2` without the list of the host's resources."""
    ports: frozenset[str]
    """Resources that the agent reports on individually."""
    neighbors: frozenset[str]
    """Resources that an agent of Alcor does not report on."""


class Resources:
    """The tables, in a separate file. Used by one thread at a time."""

    def __init__(self, path: Path | None, schema: Schema, directory: Directory) -> None:
        self._path, self._schema, self._directory = path, schema, directory
        with self._translated():
            self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
            run = self._connection.execute
            run("PRAGMA locking_mode=EXCLUSIVE")
            run("PRAGMA journal_mode=WAL")
            run("PRAGMA synchronous=FULL")
            run("CREATE TABLE IF NOT EXISTS vpc (id TEXT PRIMARY KEY, vni INTEGER UNIQUE, configuration BLOB NOT NULL)")
            run("CREATE TABLE IF NOT EXISTS subnet (id TEXT PRIMARY KEY, configuration BLOB NOT NULL)")
            run(
                "CREATE TABLE IF NOT EXISTS port (vni INTEGER, ip TEXT, version INTEGER, id TEXT NOT NULL, host TEXT,"
                " configuration BLOB NOT NULL, PRIMARY KEY (vni, ip, version))"
            )
            run("CREATE INDEX IF NOT EXISTS port_id ON port (id)")
            run(
                "CREATE TABLE IF NOT EXISTS dead_letter (number INTEGER PRIMARY KEY AUTOINCREMENT,"
                " origin TEXT NOT NULL, reason TEXT NOT NULL, data BLOB NOT NULL)"
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as problem:
            raise EnvironmentProblem(f"{self._path}: cannot be read or written ({problem})") from problem
        except sqlite3.DatabaseError as problem:
            raise BadDeployment(
                f"{self._path}: is not a store of resources ({problem}); name another file"
            ) from problem

    # --------------------------------------------------------------------------------------- input from DPM

    def take(self, goal: Any) -> list[Change]:
        """Stores the content of a goal state, and returns the changes for NCM: one per resource, networks first.

        Raises:
            GoalStateRefused: a resource is rejected; nothing of the goal state was accepted.
        """
        with self._translated():
            self._connection.execute("BEGIN IMMEDIATE")
            reading = _Reading(self._connection, goal, self._schema, self._directory)
            changes = reading.read()
            self._connection.execute("ROLLBACK" if reading.problems else "COMMIT")
        if reading.problems:
            raise GoalStateRefused(reading.problems)
        return changes

    def set_aside(self, origin: str, reason: str, data: bytes) -> None:
        """Stores bytes that are not a valid message, for later inspection."""
        with self._translated():
            run = self._connection.execute
            run("INSERT INTO dead_letter (origin, reason, data) VALUES (?, ?, ?)", (origin, reason, data))
            run(
                "DELETE FROM dead_letter WHERE number <= (SELECT MAX(number) FROM dead_letter) - ?", (DEAD_LETTERS_MAX,)
            )

    def dead_letters(self) -> list[tuple[str, str, bytes]]:
        """The dead letters: origin, reason and bytes, oldest first."""
        rows = self._connection.execute("SELECT origin, reason, data FROM dead_letter ORDER BY number")
        return [(origin, reason, data) for origin, reason, data in rows]

    # --------------------------------------------------------------------------------------- output to hosts

    def told(self, host: str, pod: Pod, version: int, place: str | None) -> Told | None:
        """What a host is told of a version of a pod; None: DPM has not sent it here."""
        with self._translated():
            row = self._row(pod, version)
            if row is None:
                return None
            port = self._schema.PortConfiguration.FromString(row[0])
            goal = self._schema.GoalStateV2(format_version=FORMAT_VERSION)
            ports = self._ports(goal, port, host, pod, version, place)
            # For a pod that is not at the host there is always a neighbor: the list alone does not say which addresses
            # a deleted port had.
            neighbors = {self._neighbor(goal, port, pod, version, place)} if place != host else set()
            self._describe(goal, port)
            return Told(goal, frozenset(ports), frozenset(neighbors))

    def _row(self, pod: Pod, version: int) -> tuple[bytes] | None:
        if not pod.vpc.isdigit():
            return None
        found: tuple[bytes] | None = self._connection.execute(
            "SELECT configuration FROM port WHERE vni = ? AND ip = ? AND version = ?",
            (int(pod.vpc), pod.address, version),
        ).fetchone()
        return found

    def _ports(self, goal: Any, port: Any, host: str, pod: Pod, version: int, place: str | None) -> set[str]:
        """The host's own port with this address, if it is placed there, and the ports that had it and are no longer there."""
        kinds = self._schema.OperationType
        wanted = {port.id: (kinds.CREATE, port)} if place == host else {}
        rows = self._connection.execute(
            "SELECT id, configuration, MAX(version) FROM port WHERE vni = ? AND ip = ? AND host = ? GROUP BY id",
            (int(pod.vpc), pod.address, host),
        )
        for identifier, configuration, _ in rows.fetchall():
            if identifier not in wanted and not self._is_at(identifier, host):
                wanted[identifier] = (kinds.DELETE, self._schema.PortConfiguration.FromString(configuration))
        for identifier, (operation, configuration) in wanted.items():
            state = goal.port_states[identifier]
            state.operation_type = operation
            state.configuration.CopyFrom(configuration)
            state.configuration.revision_number = version
            state.configuration.update_type = self._schema.UpdateType.FULL
            state.configuration.host_info.ip_address = self._address(host)
        return set(wanted)

    def _is_at(self, port: str, host: str) -> bool:
        """Whether some address of the port is at the host, according to DPM."""
        rows = self._connection.execute(
            "SELECT host FROM port AS one WHERE id = ? AND version ="
            " (SELECT MAX(version) FROM port WHERE vni = one.vni AND ip = one.ip)",
            (port,),
        )
        return any(found == host for (found,) in rows)

    def _neighbor(self, goal: Any, port: Any, pod: Pod, version: int, place: str | None) -> str:
        """The pod as other hosts see it. Each address of a port is a separate neighbor, since each is requested separately."""
        schema = self._schema
        identifier = f"{port.id}_n" if len(port.fixed_ips) < 2 else f"{port.id}_n_{pod.address}"
        state = goal.neighbor_states[identifier]
        state.operation_type = schema.OperationType.DELETE if place is None else schema.OperationType.CREATE
        neighbor = state.configuration
        neighbor.revision_number = version
        neighbor.id, neighbor.vpc_id, neighbor.name = identifier, port.vpc_id, port.name
        neighbor.update_type = schema.UpdateType.FULL
        neighbor.mac_address = port.mac_address
        neighbor.host_ip_address = self._address(place) if place is not None else port.host_info.ip_address
        if schema.names_host_macs:
            neighbor.host_mac_address = port.host_info.mac_address
        subnet = next((item.subnet_id for item in port.fixed_ips if item.ip_address == pod.address), "")
        neighbor.fixed_ips.add(subnet_id=subnet, ip_address=pod.address)
        return identifier

    def _describe(self, goal: Any, port: Any) -> None:
        """The network and all subnets of a port."""
        schema, run = self._schema, self._connection.execute
        (vpc,) = run("SELECT configuration FROM vpc WHERE id = ?", (port.vpc_id,)).fetchone()
        goal.vpc_states[port.vpc_id].configuration.CopyFrom(schema.VpcConfiguration.FromString(vpc))
        for identifier in {item.subnet_id for item in port.fixed_ips}:
            (subnet,) = run("SELECT configuration FROM subnet WHERE id = ?", (identifier,)).fetchone()
            goal.subnet_states[identifier].configuration.CopyFrom(schema.SubnetConfiguration.FromString(subnet))

    def _address(self, host: str) -> str:
        found = self._directory.find(host)
        return found.address if found is not None else ""

    def close(self) -> None:
        """Releases the file."""
        self._connection.close()


class _Reading:
    """One goal state, read within a transaction."""

    def __init__(self, connection: sqlite3.Connection, goal: Any, schema: Schema, directory: Directory) -> None:
        self._run = connection.execute
        self._goal, self._schema, self._directory = goal, schema, directory
        self._operation = schema.OperationType
        self.problems: list[Problem] = []
        self._listed = self._lists()

    def read(self) -> list[Change]:
        """Writes everything that is acceptable, and notes the rest."""
        goal = self._goal
        changes: list[Change] = []
        for kind, states, read in (
            ("VPC", goal.vpc_states, self._vpc),
            ("SUBNET", goal.subnet_states, self._subnet),
            ("PORT", goal.port_states, self._port),
            ("NEIGHBOR", goal.neighbor_states, self._neighbor),
        ):
            for identifier in sorted(states):
                state = states[identifier]
                changes.append(
                    Change(kind, identifier, state.operation_type, self._noting(kind, identifier, state, read))
                )
        for kind, states in (
            ("SECURITYGROUP", goal.security_group_states),
            ("DHCP", goal.dhcp_states),
            ("ROUTER", goal.router_states),
            ("GATEWAY", goal.gateway_states),
        ):
            for identifier in sorted(states):
                sentence = "this NCM passes on ports and neighbors only; send other kinds to the agents directly"
                self.problems.append(Problem(kind, identifier, states[identifier].operation_type, sentence))
        for identifier in sorted(set(self._listed) - set(goal.port_states)):
            self.problems.append(Problem("PORT", identifier, 0, "a host lists it, but its state is missing"))
        return changes

    def _noting(
        self, kind: str, identifier: str, state: Any, read: Callable[[int, Any], list[Config]]
    ) -> tuple[Config, ...]:
        configuration = state.configuration
        try:
            if configuration.id != identifier or not 0 < len(identifier) <= IDENTIFIER_CHARACTERS_MAX:
                raise Wrong(f"its id is {configuration.id!r}, and its key must be the same")
            if not configuration.revision_number:
                raise Wrong("revision_number is 0; nothing can be ordered by it")
            return tuple(read(state.operation_type, configuration))
        except Wrong as problem:
            self.problems.append(Problem(kind, identifier, state.operation_type, str(problem)))
            return ()

    def _lists(self) -> Mapping[str, set[str]]:
        """The hosts' addresses by the ports listed for them."""
        listed: dict[str, set[str]] = {}
        for address, resources in self._goal.host_resources.items():
            for resource in resources.resources:
                if resource.type == self._schema.ResourceType.PORT:
                    listed.setdefault(resource.id, set()).add(address)
        return listed

    def _describes(self, operation: int) -> None:
        if operation not in (self._operation.INFO, self._operation.CREATE, self._operation.UPDATE):
            raise Wrong("a network or subnet is described by INFO, CREATE or UPDATE")

    def _vpc(self, operation: int, vpc: Any) -> list[Config]:
        self._describes(operation)
        if not 0 < vpc.tunnel_id <= VNI_MAX:
            raise Wrong(f"tunnel_id is {vpc.tunnel_id}; requests name the network by it: expected 1 to {VNI_MAX}")
        clash = self._run("SELECT id FROM vpc WHERE (id = ?) <> (vni = ?)", (vpc.id, vpc.tunnel_id)).fetchone()
        if clash is not None:
            raise Wrong(
                f"tunnel_id {vpc.tunnel_id} and network {clash[0]!r} do not go together; a network keeps its VNI"
            )
        self._replace("vpc", vpc, self._schema.VpcConfiguration, {"vni": vpc.tunnel_id})
        return []

    def _subnet(self, operation: int, subnet: Any) -> list[Config]:
        self._describes(operation)
        vni = self._vni(subnet.vpc_id)
        if "/" not in subnet.cidr:
            raise Wrong(f"cidr {subnet.cidr!r} has no length; write ADDRESS/LENGTH")
        if subnet.tunnel_id not in (0, vni):
            raise Wrong(f"tunnel_id is {subnet.tunnel_id}, and the network's is {vni}")
        kept = self._schema.SubnetConfiguration()
        kept.CopyFrom(subnet)
        kept.tunnel_id = vni
        self._replace("subnet", kept, self._schema.SubnetConfiguration, {})
        return []

    def _replace(self, table: str, configuration: Any, kind: Any, more: Mapping[str, Any]) -> None:
        """Stores a description, unless a newer one is stored."""
        row = self._run(f"SELECT configuration FROM {table} WHERE id = ?", (configuration.id,)).fetchone()  # noqa: S608
        if row is not None and kind.FromString(row[0]).revision_number > configuration.revision_number:
            return
        values = {"id": configuration.id, "configuration": configuration.SerializeToString(), **more}
        columns, marks = ", ".join(values), ", ".join("?" * len(values))
        self._run(f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})", tuple(values.values()))  # noqa: S608

    def _vni(self, vpc: str) -> int:
        row = self._run("SELECT vni FROM vpc WHERE id = ?", (vpc,)).fetchone()
        if row is None:
            raise Wrong(f"network {vpc!r} is unknown; send its state along")
        return int(row[0])

    def _port(self, operation: int, port: Any) -> list[Config]:
        vni, gone = self._vni(port.vpc_id), is_gone(self._schema, operation, port)
        before = self._addresses(port.id)
        host = None if gone else self._host(port)
        wanted = [checked_address(item.ip_address) for item in port.fixed_ips]
        if not wanted and not gone:
            raise Wrong("it has no address")
        for item in port.fixed_ips:
            if self._run("SELECT 1 FROM subnet WHERE id = ?", (item.subnet_id,)).fetchone() is None:
                raise Wrong(f"subnet {item.subnet_id!r} is unknown; send its state along")
        places: dict[str, str | None] = dict.fromkeys(wanted, host)
        places |= {ip: None for ip in before if ip not in places}  # an address that the port no longer has
        return [self._place(vni, ip, port, place) for ip, place in places.items()]

    def _host(self, port: Any) -> str:
        if port.update_type != self._schema.UpdateType.FULL:
            raise Wrong("update_type is DELTA; only whole states are taken, so send it as FULL")
        if not port.admin_state_up:
            raise Wrong("admin_state_up is false; delete the port, or send it when it is up")
        addresses = self._listed.get(port.id, set()) | ({port.host_info.ip_address} - {""})
        if len(addresses) != 1:
            raise Wrong("it is listed for no host" if not addresses else f"it is at {len(addresses)} hosts at once")
        (address,) = addresses
        host = self._directory.name_of(address)
        if host is None:
            raise Wrong(f"{address!r} is the address of no host")
        return host

    def _addresses(self, port: str) -> list[str]:
        """The addresses whose newest version belongs to this port and is placed."""
        rows = self._run(
            "SELECT ip FROM port AS one WHERE id = ? AND host IS NOT NULL AND version ="
            " (SELECT MAX(version) FROM port WHERE vni = one.vni AND ip = one.ip)",
            (port,),
        )
        return [ip for (ip,) in rows]

    def _place(self, vni: int, ip: str, port: Any, host: str | None) -> Config:
        """Stores a version of a pod, whose content never changes."""
        version = port.revision_number
        row = self._run(
            "SELECT id, host FROM port WHERE vni = ? AND ip = ? AND version = ?", (vni, ip, version)
        ).fetchone()
        if row is None:
            kept = self._completed(vni, ip, port)
            values = (vni, ip, version, port.id, host, kept.SerializeToString())
            self._run("INSERT INTO port (vni, ip, version, id, host, configuration) VALUES (?, ?, ?, ?, ?, ?)", values)
        elif row != (port.id, host):
            raise Wrong(f"revision {version} of {ip} had other content before; a change needs a new revision")
        return Config(Pod(str(vni), ip), version, host)

    def _completed(self, vni: int, ip: str, port: Any) -> Any:
        """The state of a deleted port, completed by what is needed to delete its neighbor."""
        kept = self._schema.PortConfiguration()
        kept.CopyFrom(port)
        row = self._run(
            "SELECT configuration FROM port WHERE vni = ? AND ip = ? ORDER BY version DESC LIMIT 1", (vni, ip)
        ).fetchone()
        if row is not None:
            before = self._schema.PortConfiguration.FromString(row[0])
            kept.mac_address = port.mac_address or before.mac_address
            if not any(item.ip_address == ip for item in port.fixed_ips):
                kept.fixed_ips.extend(item for item in before.fixed_ips if item.ip_address == ip)
        return kept

    def _neighbor(self, operation: int, neighbor: Any) -> list[Config]:
        if operation not in (self._operation.CREATE, self._operation.UPDATE, self._operation.DELETE):
            raise Wrong("a neighbor is created, updated or deleted")
        vni = self._vni(neighbor.vpc_id)
        if not neighbor.fixed_ips:
            raise Wrong("it has no address")
        host = None if operation == self._operation.DELETE else self._directory.name_of(neighbor.host_ip_address)
        for item in neighbor.fixed_ips:
            row = self._run(
                "SELECT host FROM port WHERE vni = ? AND ip = ? AND version = ?",
                (vni, checked_address(item.ip_address), neighbor.revision_number),
            ).fetchone()
            if row is None or row[0] != host:
                raise Wrong("its port has other content; send the port's state of this revision with it, or before it")
        return []


def is_gone(schema: Schema, operation: int, port: Any) -> bool:
    """Whether a port's state means that the port is gone, as an agent of Alcor interprets it.

    Raises:
        Wrong: it means neither this nor that the port is placed.
    """
    kinds = schema.OperationType
    if operation == kinds.DELETE or (operation == kinds.UPDATE and not port.device_id and not port.device_owner):
        return True
    if operation in (kinds.CREATE, kinds.UPDATE):
        return False
    raise Wrong("a port is created, updated or deleted")


class Wrong(ValueError):
    """A resource is wrong; the text says how."""


def checked_address(text: str) -> str:
    """The text, if it is an IP address in its usual form.

    Raises:
        Wrong: it is not.
    """
    try:
        is_usual = str(ipaddress.ip_address(text)) == text
    except ValueError:
        is_usual = False
    if not is_usual:
        raise Wrong(f"{text!r} is not an IP address in its usual form")
    return text
