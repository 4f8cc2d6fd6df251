"""Records logs for benchmarks in memory: a fleet of agents with DPM and NCM, real cores and recorders, in one thread, no broker.

Messages are delayed, reordered and duplicated, some by a lot; agents, NCM and DPM restart; pods move, leave and return; packets are
delivered, held, refused and dropped; shared configuration changes. Time is virtual: a seed determines all but the ids of runs.
"""

from __future__ import annotations

import heapq
import json
import math
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import accumulate, count
from pathlib import Path
from typing import Any, Final

from conformance.replay.cores import Cores
from impl.broker import topics
from impl.composite import CompositeAca, CompositeDpm, of_message_queue
from impl.core import Effects
from impl.events.event_schema import MESSAGE_QUEUE, ON_DEMAND
from impl.events.file import FileSink
from impl.events.message_queue import MessageQueueAcaProjection, MessageQueueDpmProjection
from impl.events.on_demand import OnDemandAcaProjection, OnDemandDpmProjection, OnDemandNcmProjection
from impl.events.recorder import Projection, Recorder
from impl.message_queue.thresholds import NEVER_LARGE
from impl.messages import Kind, Pod, Registered
from impl.outputs import Output, Publish, Role, SetAside, Work, run
from impl.process import Process
from impl.roles.composite_roles import AcaRole, DpmRole
from impl.roles.on_demand_roles import NcmRole
from impl.roles.timing import Timing
from impl.storage.store import Outgoing
from impl.transport.interface import Delivery, Letter
from impl.wire.codec import MalformedMessage, encode

AGENTS: Final = 100
HOSTS_OF_A_VPC: Final = 10
PODS_OF_A_HOST: Final = 4

STEP_NANOSECONDS: Final = 1_000_000
"""Virtual time of one step, between two spontaneous actions."""

BEGAN: Final = 1_700_000_000_000_000_000
"""Start of the virtual time, in nanoseconds since 1970."""

USUAL: Final = (1, 20)
LATE: Final = (500, 3_000)
"""Range of the delay of a message, in steps."""

LATE_ONCE_IN: Final = 500
TWICE_ONCE_IN: Final = 50
TIMING: Final = Timing(
    answer_max=400,
    refusal_pause=200,
    idle_max=math.inf,
    remind_every=150,
    resend_every=400,
    confirm_max=math.inf,
    hello_every=math.inf,
)
"""In steps. Routes are evicted at random, and no change is ever given up."""

LOOK_EVERY: Final = 50
"""Steps between two looks at all timers."""

SPONTANEOUS: Final = (
    ("packet", 800),
    ("move", 25),
    ("remove", 6),
    ("stranger", 10),
    ("evict", 20),
    ("revise", 2),
    ("restart agent", 1),
    ("register again", 1),
)
"""Spontaneous actions with their weights."""

ANSWERS_MAX: Final = 10
"""Effects per requested line of cores under test; the real ones give about one."""

_ACTIONS: Final = [name for name, _ in SPONTANEOUS]
_WEIGHTS: Final = list(accumulate(weight for _, weight in SPONTANEOUS))

LATE_HOST_ONCE_IN: Final = 5
REGISTERED_LATE: Final = (50, 2_000)
"""Delay of the late registrations, in steps; pods may be placed there before."""

SERVICE_RESTART_ONCE_IN: Final = 50_000
REPUBLISHED: Final = 3
"""Messages that a restarted service publishes once more, without the id of the line that first sent them."""


def fleet_of(agents: int) -> tuple[list[str], dict[Pod, str]]:
    """The names of `agents` hosts, and their pods, each with its first host."""
    hosts = [f"host-{number:04}" for number in range(agents)]
    pods = {
        Pod(f"vpc-{number // HOSTS_OF_A_VPC}", f"10.{number >> 8}.{number & 255}.{index}"): host
        for number, host in enumerate(hosts)
        for index in range(PODS_OF_A_HOST)
    }
    return hosts, pods


@dataclass(frozen=True)
class Recorded:
    """A folder of logs, one for each process."""

    files: Sequence[Path]
    lines: int
    bytes: int
    seconds: float
    """Seconds that recording took."""


@dataclass
class _Process:
    """A role with its log, and the process runner that both belong to."""

    name: str
    role: Role
    recorder: Recorder | None
    sink: CountedFile | None
    own: dict[Pod, None] = field(default_factory=dict)
    """For an agent: the pods of its host that it knows."""
    last: deque[Letter] = field(default_factory=lambda: deque(maxlen=REPUBLISHED))

    def __post_init__(self) -> None:
        self.runner = Process(self.role, self.recorder)
        self.core = self.role.core


class CountedFile:
    """A file sink that counts lines and bytes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self.bytes = 0
        self._file = FileSink(path)

    def write(self, line: bytes) -> bool:
        """See `impl.events.recorder.Sink`."""
        self.lines += 1
        self.bytes += len(line)
        return self._file.write(line)

    def close(self) -> None:
        """See `impl.events.recorder.Sink`."""
        self._file.close()


class Restless(Exception):
    """Cores under test that exchange messages without end."""


class _Simulation:
    """All processes and the messages in flight between them, in virtual time."""

    def __init__(self, folder: Path | None, agents: int, seed: int, cores: Cores, opened: ExitStack) -> None:
        """`folder`: for the logs; None: no logs. `opened`: closes them, also if a core under test raises."""
        self.chance = random.Random(seed)
        self._cores = cores
        self.answers_left = math.inf
        self.now = 0
        self._numbers = count()
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._requests = count(1)
        self._registrations: dict[str, int] = {}
        self.hosts, self._first = fleet_of(agents)
        self.vpcs: dict[str, list[str]] = {}
        """The hosts of each VPC."""
        self.pods: dict[str, list[Pod]] = {}
        """The pods of each VPC, placed or not."""
        for pod, host in self._first.items():
            self.pods.setdefault(pod.vpc, []).append(pod)
            hosts = self.vpcs.setdefault(pod.vpc, [])
            if host not in hosts:
                hosts.append(host)
        self._names = list(self.vpcs)
        self.processes: dict[str, _Process] = {}
        for name in ("dpm", "ncm", *self.hosts):
            sink = opened.enter_context(closing(CountedFile(folder / f"{name}.ndjson"))) if folder is not None else None
            self.processes[name] = self._made(name, sink)
        self._begin()

    def _made(self, name: str, sink: CountedFile | None, snapshot: Any = None) -> _Process:
        role, projections = _role(name, self._cores)
        if snapshot is not None:
            role.core.restore(snapshot)
        if sink is None:
            return _Process(name, role, None, None)
        host = name if name not in ("dpm", "ncm") else ""
        about = {"many_ports": NEVER_LARGE.many_ports, "many_in_a_group": NEVER_LARGE.many_in_a_group}
        recorder = Recorder(
            f"aca/{name}" if host else name,
            projections,
            sink,
            host=host,
            about={**about, "patience": NEVER_LARGE.patience} if name == "dpm" else {},
            clock=lambda: BEGAN + self.now * STEP_NANOSECONDS,
        )
        recorder.begin()
        return _Process(name, role, recorder, sink)

    def _begin(self) -> None:
        dpm = self.processes["dpm"]
        for number, host in enumerate(self.hosts, start=1):
            if number % LATE_HOST_ONCE_IN:
                self._enrol(host)
            else:
                self._after(self.chance.randint(*REGISTERED_LATE), lambda host=host: self._enrol(host))  # type: ignore[misc] # a default binds it
        for pod, host in self._first.items():
            self._done(dpm, dpm.core.place(pod, host))

    def _enrol(self, host: str) -> None:
        """Registers a host and starts its agent."""
        self._register(host)
        agent = self.processes[host]
        self._run(agent, agent.runner.command(agent.role.begin))

    def _register(self, host: str) -> None:
        """Registers a host, perhaps again."""
        number = self._registrations[host] = self._registrations.get(host, 0) + 1
        data = encode(Registered(host, number))
        for name in ("ncm", "dpm"):
            process = self.processes[name]
            self._run(process, process.runner.deliver(Delivery(topics.HOSTS, data, "", "", 0.0, None)))

    @property
    def lines(self) -> int:
        """Lines written by all processes."""
        return sum(process.sink.lines for process in self.processes.values() if process.sink is not None)

    # ----------------------------------------------------------------------------------------------- messages

    def _after(self, steps: int, do: Callable[[], None]) -> None:
        heapq.heappush(self._waiting, (self.now + steps, next(self._numbers), do))

    def _done(self, process: _Process, effects: Effects) -> None:
        """Has a process do what its core answered to a command."""
        self._run(process, process.runner.command(lambda: effects))

    def _run(self, process: _Process, work: Work) -> None:
        """Performs the outputs of an input: publishes messages. Nothing is stored."""
        self.answers_left -= 1
        if self.answers_left < 0:
            raise Restless(f"{process.name} and the others exchange messages without end")
        effects = run(work, partial(self._perform, process))
        if process.name in ("dpm", "ncm"):
            return
        for event in effects.events:
            if event.name == "learn":
                pod = event.fields["pod"]
                process.own.pop(pod, None)
                if event.fields["place"] == process.name:
                    process.own[pod] = None

    def _perform(self, process: _Process, output: Output) -> Sequence[Outgoing]:
        if isinstance(output, Publish):
            for letter in output.letters():
                process.last.append(letter)
                self._send(letter)
        elif isinstance(output, SetAside):
            raise MalformedMessage(output.reason)
        return ()

    def _send(self, letter: Letter) -> None:
        late = self.chance.randrange(LATE_ONCE_IN) == 0
        times = 2 if self.chance.randrange(TWICE_ONCE_IN) == 0 else 1
        registration = self._registration_of(letter)
        for _ in range(times):
            due = self.chance.randint(*(LATE if late else USUAL))
            self._after(due, lambda: self._deliver(letter, registration))

    def _registration_of(self, letter: Letter) -> int:
        """The registration number of the host that the topic belongs to; 0 if it belongs to none."""
        return self._registrations.get(letter.topic.partition("-")[2], 0)

    def _deliver(self, letter: Letter, registration: int) -> None:
        if registration != self._registration_of(letter):
            return  # registration again replaces the host's topics, and messages on the old ones are lost
        process = self.processes[_reader(letter.topic)]
        delivery = Delivery(letter.topic, letter.data, letter.tag, "", 0.0, None, letter.origin)
        self._run(process, process.runner.deliver(delivery))
        if process.name == "dpm" or (process.name == "ncm" and self.chance.randrange(4) == 0):
            self._look(process)

    def _look(self, process: _Process) -> None:
        """Lets the timers of a process fire."""
        self._run(process, process.runner.time(self.now))

    # ------------------------------------------------------------------------------------------ spontaneous actions

    def step(self) -> None:
        """Delivers what is due and takes one spontaneous action."""
        self.now += 1
        self.settle(self.now)
        (action,) = self.chance.choices(_ACTIONS, cum_weights=_WEIGHTS)
        vpc = self.chance.choice(self._names)
        host = self.chance.choice(self.vpcs[vpc])
        agent, dpm = self.processes[host], self.processes["dpm"]
        pod = self.chance.choice(self.pods[vpc])
        match action:
            case "packet":
                # Half of the pods get most of the packets.
                favorites = self.pods[vpc][: len(self.pods[vpc]) // 2] if self.chance.random() < 0.9 else self.pods[vpc]
                self._packet(agent, self.chance.choice(favorites))
            case "stranger":
                self._packet(agent, Pod(vpc, f"192.168.0.{self.chance.randrange(50)}"))
            case "move" if dpm.core.dpm.place_of(pod) != host:
                self._done(dpm, dpm.core.place(pod, host))
            case "remove" if dpm.core.dpm.place_of(pod) is not None:
                self._done(dpm, dpm.core.remove(pod))
            case "evict" if agent.core.aca.may_evict(pod):
                self._done(agent, agent.core.aca.evict(pod))
            case "revise":
                self._done(dpm, of_message_queue(dpm.core.message_queue.revise(vpc, Kind.SUBNET, b"")))
                self._look(dpm)
            case "restart agent":
                self._restart(host)
            case "register again" if host in self._registrations:
                self._register(host)
            case _:
                pass
        if self.now % LOOK_EVERY == 0:
            for process in self.processes.values():
                self._look(process)
        if self.chance.randrange(SERVICE_RESTART_ONCE_IN) == 0:
            self._restart(self.chance.choice(("dpm", "ncm")))

    def _packet(self, agent: _Process, destination: Pod) -> None:
        if agent.own:
            source = self.chance.choice(list(agent.own))
            self._done(agent, agent.core.aca.packet(next(self._requests), source, destination))

    def _restart(self, name: str) -> None:
        old = self.processes[name]
        new = self.processes[name] = self._made(name, old.sink, json.loads(json.dumps(old.core.snapshot())))
        if name not in ("dpm", "ncm"):
            self._run(new, new.runner.command(new.role.begin))
            return
        for letter in old.last:
            self._send(replace(letter, origin=""))

    def settle(self, until: float) -> None:
        """Runs everything that is due up to a step."""
        while self._waiting and self._waiting[0][0] <= until:
            heapq.heappop(self._waiting)[2]()

    def close(self) -> Recorded:
        """Delivers all messages in flight and stops all processes."""
        self.settle(float("inf"))
        self._look(self.processes["ncm"])
        self.settle(float("inf"))
        sinks = []
        for process in self.processes.values():
            if process.recorder is not None and process.sink is not None:
                process.recorder.end()
                sinks.append(process.sink)
        return Recorded([sink.path for sink in sinks], self.lines, sum(sink.bytes for sink in sinks), 0.0)


def _role(name: str, cores: Cores) -> tuple[Role, dict[str, Projection]]:
    if name == "ncm":
        ncm = cores.ncm()
        return NcmRole(ncm, TIMING), {ON_DEMAND: OnDemandNcmProjection(ncm)}
    if name == "dpm":
        dpm, channel = cores.dpm(), cores.message_queue_dpm(NEVER_LARGE)
        return DpmRole(CompositeDpm(dpm, channel), TIMING), {
            ON_DEMAND: OnDemandDpmProjection(dpm),
            MESSAGE_QUEUE: MessageQueueDpmProjection(channel),
        }
    aca, message_queue = cores.aca(name), cores.message_queue_aca(name)
    return AcaRole(CompositeAca(aca, message_queue), TIMING), {
        ON_DEMAND: OnDemandAcaProjection(aca),
        MESSAGE_QUEUE: MessageQueueAcaProjection(message_queue),
    }


def _reader(topic: str) -> str:
    match topic:
        case topics.GOAL_STATES:
            return "ncm"
        case topics.OUTCOMES:
            return "dpm"
    kind, _, host = topic.partition("-")
    return {"requests": "ncm", "notices": "dpm"}.get(kind, host)


def record_in_memory(
    folder: Path,
    events: int,
    *,
    agents: int = AGENTS,
    seed: int = 1,
    cores: Cores | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> Recorded:
    """Writes logs of at least `events` lines into a folder, one file per process. They are complete and conform.

    `cores`: cores under test, whose logs may be shorter and need not conform.

    Raises:
        Restless: the cores under test exchange messages without end.
    """
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as opened:
        simulation = _Simulation(folder, agents, seed, cores or Cores(), opened)
        if cores is not None:
            simulation.answers_left = ANSWERS_MAX * events
        while True:
            lines = simulation.lines
            if progress is not None:
                progress(lines, f"of {events:,}")
            if lines >= events or (cores is not None and simulation.now >= events):
                break  # cores under test may log little
            for _ in range(min(1_000, max(1, (events - lines) // 2))):
                simulation.step()
        made = simulation.close()
    return Recorded(made.files, made.lines, made.bytes, time.perf_counter() - started)


def cost_in_memory(folder: Path, steps: int, *, agents: int = AGENTS, seed: int = 1) -> tuple[Recorded, float]:
    """Runs the same history of `steps` steps with and without logs; returns the recording, and the seconds without logs.

    Both are seconds of processor time, which other load on the machine does not change.
    """
    took = []
    made: Recorded | None = None
    for where in (None, folder):
        with ExitStack() as opened:
            simulation = _Simulation(where, agents, seed, Cores(), opened)
            started = time.process_time()
            for _ in range(steps):
                simulation.step()
            made = simulation.close()
            took.append(time.process_time() - started)
    assert made is not None
    return Recorded(made.files, made.lines, made.bytes, took[1]), took[0]
