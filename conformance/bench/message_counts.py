"""The number of messages that a change costs, counted in runs of the statement, and the law that the counts follow.

In a run nothing fails: there are h hosts with p pods each in one VPC, and all agents are greeted. Then one more pod is placed, and
everything that follows from it happens. The messages that the statement's actions send are counted; no formula is typed in. A law
is found by solving for the counts, and holds exactly at every counted size; else there is no law.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import Final

from conformance.bench.message_sizes import bytes_of
from conformance.protocols import variant_of
from model.language import Action, Protocol
from model.reference.configuration import Configuration, of_sizes
from model.reference.interpreter import Interpreter
from model.reference.state import Element, Occurrence, State, initial_state
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from spec.slots.protocol import PROTOCOL as SLOTS


@dataclass(frozen=True, order=True)
class Size:
    """The number of hosts, and of pods per host before the change."""

    hosts: int
    pods: int


SIZES: Final = tuple(Size(hosts, pods) for hosts in (2, 3, 5, 8, 12) for pods in (1, 2, 4))
"""Sizes of the runs: more than a law has terms, so that a wrong law is noticed."""


@dataclass(frozen=True)
class Cost:
    """The messages of one change."""

    sent: Mapping[str, int]
    """Published messages, by the name of the statement's message or topic."""
    received: int
    """Messages received by all agents together."""


class Run:
    """A run under construction."""

    def __init__(
        self, protocol: Protocol, configuration: Configuration, topics: Mapping[str, str] | None = None
    ) -> None:
        self._protocol = protocol
        self._configuration = configuration
        self._interpreter = Interpreter(protocol, configuration)
        self._topics = topics or {}
        """By action: the relation for what it publishes to a topic. Such a step is one message, however many agents get it."""
        self._restricted: dict[tuple[str, ...], Interpreter] = {}
        self.state: State = initial_state(protocol, configuration)
        self.sent: Counter[str] = Counter()
        self.received = 0

    def do(self, action: str, *choices: Element) -> None:
        """Takes an action with these choices, in the order of its parameters; it must be enabled."""
        names = [variable.name for variable in self._action(action).parameters]
        occurrence = Occurrence(action, tuple(zip(names, choices, strict=True)))
        assert self._interpreter.is_enabled(self.state, occurrence), f"{occurrence} is not enabled"
        self._take(self._interpreter, occurrence)

    def settle(self, *actions: str) -> None:
        """Takes these actions while any is enabled. They must terminate."""
        if actions not in self._restricted:
            others = {action.name for action in self._protocol.actions} - set(actions)
            restricted = replace(self._configuration, without=frozenset(others))
            self._restricted[actions] = Interpreter(self._protocol, restricted)
        interpreter = self._restricted[actions]
        while possible := interpreter.enabled(self.state):
            for occurrence in possible:
                if interpreter.is_enabled(self.state, occurrence):
                    self._take(interpreter, occurrence)

    def begin(self) -> None:
        """Starts counting from zero."""
        self.sent.clear()
        self.received = 0

    def cost(self) -> Cost:
        """The counts."""
        return Cost(dict(self.sent), self.received)

    def _action(self, name: str) -> Action:
        return next(action for action in self._protocol.actions if action.name == name)

    def _take(self, interpreter: Interpreter, occurrence: Occurrence) -> None:
        before = self.state
        self.state, _ = interpreter.apply(before, occurrence)
        for message in self._protocol.messages:
            new = len(self.state.relations[message.name] - before.relations[message.name])
            self.sent[message.name] += new
            if message.receiver.each is not None:
                self.received += new
        topic = self._topics.get(occurrence.action)
        if topic is not None:
            self.sent[topic] += 1
            self.received += len(self.state.relations[topic] - before.relations[topic])
        self.sent += Counter()  # removes zero counts


def _run_of(
    protocol: Protocol,
    size: Size,
    bounds: Mapping[str, int],
    topics: Mapping[str, str] | None = None,
    constants: Mapping[str, Mapping[tuple[Element, ...], Element]] | None = None,
) -> Run:
    """A run with one VPC and correct agents only, with these bounds of numbers."""
    own = {sort.__name__ for sort in protocol.sorts}
    sizes = {"Host": size.hosts, "Pod": size.hosts * size.pods + 1, "Slot": size.hosts, "Vpc": 1, "Request": 1}
    configuration = of_sizes("counted", protocol, {name: count for name, count in sizes.items() if name in own})
    given: dict[str, frozenset[tuple[Element, ...]] | Mapping[tuple[Element, ...], Element]] = {
        **configuration.constants,
        "correct": frozenset((host,) for host in configuration.sorts["Host"]),
        **(constants or {}),
    }
    if "usable" in given:
        given["usable"] = frozenset((slot,) for slot in configuration.sorts["Slot"])
    return Run(protocol, replace(configuration, bounds={**configuration.bounds, **bounds}, constants=given), topics)


PUSHED: Final = ON_DEMAND.with_variant(variant_of("pushes_to_all")[1])
"""The protocol in which every host is told of every pod."""

FOLLOWS: Final = ("store", "learn", "acknowledge", "report_done", "complete")
"""The actions that follow a placement."""


def _placed(protocol: Protocol, size: Size) -> Run:
    """A run in which all agents are greeted and all pods but the last are placed, evenly."""
    run = _run_of(protocol, size, {"Version": 1, "Epoch": 1})
    for host in range(1, size.hosts + 1):
        run.do("restart", f"h{host}")
    run.settle("greet")
    run.begin()
    for pod in range(size.hosts * size.pods):
        run.do("place", f"p{pod + 1}", f"h{pod % size.hosts + 1}")
    run.settle(*FOLLOWS)
    return run


def _place_another(protocol: Protocol, size: Size) -> Run:
    run = _placed(protocol, size)
    run.begin()
    run.do("place", f"p{size.hosts * size.pods + 1}", "h2")
    run.settle(*FOLLOWS)
    return run


def on_demand(size: Size) -> Cost:
    """A pod is placed: only its host is told."""
    return _place_another(ON_DEMAND, size).cost()


def learned_route(size: Size) -> Cost:
    """A host sends to a pod for the first time: it asks and gets an answer."""
    run = _place_another(ON_DEMAND, size)
    remote = f"p{size.hosts * size.pods + 1}"
    run.begin()
    run.do("ask", "h1", "r1", "p1", remote)
    run.do("grant", "h1", 1, "r1", "p1", remote, 1)
    run.do("release", "h1", 1, "r1", "p1", remote, 1)
    run.settle(*FOLLOWS)
    return run.cost()


def push_to_all(size: Size) -> Cost:
    """A pod is placed: every host is told."""
    return _place_another(PUSHED, size).cost()


def network_on_demand(size: Size) -> Cost:
    """All pods of a network are placed in turn: the host of each is told."""
    return _placed(ON_DEMAND, size).cost()


def network_pushed_to_all(size: Size) -> Cost:
    """The same if every host is told of every pod."""
    return _placed(PUSHED, size).cost()


def one_message_per_host(size: Size) -> Cost:
    """A pod is placed: each host gets its own message on the topic of its VPC, with the key of its slot."""
    bounds = {"Epoch": 1, "Turn": 1, "Revision": size.hosts}
    run = _run_of(SLOTS, size, bounds, {"publish": "logged"}, {"patience": {("v1",): 1}})
    hosts = [(f"h{number}", f"s{number}") for number in range(1, size.hosts + 1)]
    for host, slot in hosts:
        run.do("start", host)
        run.do("allot", "v1", host, slot)
    run.settle("greet", "fill")
    for host, slot in hosts:
        run.do("ask", "v1", host, slot)
    run.settle("attach", "hear_acceptance")
    run.begin()
    for host, slot in hosts:
        run.do("publish", "v1", host, slot)
    run.settle("dispatch", "learn", "acknowledge")
    return run.cost()


def one_message_per_network(size: Size) -> Cost:
    """A pod is placed: the shared configuration of its VPC is published once, and the broker delivers it to each host."""
    ports = size.hosts * size.pods
    bounds = {"Revision": 1, "Epoch": 1, "Size": ports, "Attempt": 1, "Tries": 1}
    threshold: dict[tuple[Element, ...], Element] = {("v1",): 1}
    large = {"many_ports": threshold, "many_in_a_group": threshold, "patience": threshold}
    run = _run_of(MESSAGE_QUEUE, size, bounds, {"publish": "backlog"}, large)
    for number in range(size.hosts):
        run.do("restart", f"h{number + 1}")
    run.settle("greet")
    for number in range(ports):
        run.do("add_port", f"h{number % size.hosts + 1}", "v1")
    run.settle("open_topic", "ask", "accept", "hear_acceptance", "finish_opening")
    run.begin()
    run.do("change_rules", "v1")
    run.settle("publish", "receive", "consume", "acknowledge", "report_done")
    return run.cost()


@dataclass(frozen=True)
class Design:
    """A design: a way to tell hosts about a new pod."""

    protocol: str
    """The protocol whose statement is run."""
    run: Callable[[Size], Cost]


FROM_AGENTS: Final = ("hello", "request", "applied")
"""Messages sent by agents."""

DESIGNS: Final[Mapping[str, Design]] = {
    "push to all": Design(ON_DEMAND.name, push_to_all),
    "queue as built": Design(SLOTS.name, one_message_per_host),
    "queue as corrected": Design(MESSAGE_QUEUE.name, one_message_per_network),
    "on demand": Design(ON_DEMAND.name, on_demand),
    "a route learned": Design(ON_DEMAND.name, learned_route),
}
"""By name: a run in which a pod is placed. The last is the additional cost of on demand for each route that is needed."""

NETWORKS: Final[Mapping[str, Design]] = {
    "push to all": Design(ON_DEMAND.name, network_pushed_to_all),
    "on demand": Design(ON_DEMAND.name, network_on_demand),
}
"""By name: a run in which all pods of a network are placed."""


# ---------------------------------------------------------------------------------------------------------- laws

TERMS: Final[Mapping[str, Callable[[Size], int]]] = {
    "1": lambda size: 1,
    "h": lambda size: size.hosts,
    "p": lambda size: size.pods,
    "h·p": lambda size: size.hosts * size.pods,
    "h²": lambda size: size.hosts**2,
    "p·h²": lambda size: size.pods * size.hosts**2,
}
"""The terms of laws, for h hosts with p pods each."""


@dataclass(frozen=True)
class Law:
    """A sum of terms with integer factors."""

    factors: Mapping[str, int]

    def __call__(self, size: Size) -> int:
        return sum(factor * TERMS[term](size) for term, factor in self.factors.items())

    def __str__(self) -> str:
        parts = [
            str(factor) if term == "1" else term if factor == 1 else f"{factor}·{term}"
            for term, factor in self.factors.items()
        ]
        return " + ".join(parts) or "0"


def total(laws: Iterable[Law]) -> Law:
    """The sum of laws."""
    factors = Counter[str]()
    for law in laws:
        factors.update(law.factors)
    return Law({term: factors[term] for term in TERMS if factors[term]})


def law_of(counts: Mapping[Size, int]) -> Law | None:
    """The law with the fewest terms, at most two, that gives every count exactly; None if there is none."""
    if not any(counts.values()):
        return Law({})
    for terms in [*combinations(TERMS, 1), *combinations(TERMS, 2)]:
        factors = _solved([[TERMS[term](size) for term in terms] for size in counts], list(counts.values()))
        if factors is not None:
            return Law(dict(zip(terms, factors, strict=True)))
    return None


def _solved(rows: list[list[int]], values: list[int]) -> list[int] | None:
    """Nonzero integer factors that solve all equations, computed from the first equations that determine them; else None."""
    for chosen in combinations(range(len(rows)), len(rows[0])):
        found = _cramer([rows[item] for item in chosen], [values[item] for item in chosen])
        if found is None:
            continue
        if any(item.denominator != 1 or item == 0 for item in found):
            return None
        factors = [int(item) for item in found]
        holds = all(
            sum(f * x for f, x in zip(factors, row, strict=True)) == v for row, v in zip(rows, values, strict=True)
        )
        return factors if holds else None
    return None


def _cramer(rows: list[list[int]], values: list[int]) -> list[Fraction] | None:
    """The solution of one or two equations; None if they do not determine it."""
    if len(rows) == 1:
        return [Fraction(values[0], rows[0][0])] if rows[0][0] else None
    (a, b), (c, d) = rows
    determinant = a * d - b * c
    if determinant == 0:
        return None
    return [
        Fraction(values[0] * d - b * values[1], determinant),
        Fraction(a * values[1] - values[0] * c, determinant),
    ]


@dataclass(frozen=True)
class Counts:
    """The costs of a design at every counted size, and the laws."""

    design: Design
    costs: Mapping[Size, Cost]
    sent: Mapping[str, Law]
    """By kind of message."""
    received: Law

    def messages(self, size: Size) -> int:
        """Messages published for one change, by the laws."""
        return sum(law(size) for law in self.sent.values())

    def bytes(self, size: Size) -> int:
        """Bytes of their payloads."""
        protocol = self.design.protocol
        return sum(bytes_of(protocol, kind) * law(size) for kind, law in self.sent.items())

    def from_above(self) -> Law:
        """The law of the messages that do not come from agents."""
        return total(law for kind, law in self.sent.items() if kind not in FROM_AGENTS)

    def all(self) -> Law:
        """The law of all messages."""
        return total(self.sent.values())


def counted(design: Design, sizes: tuple[Size, ...] = SIZES) -> Counts:
    """Runs a design at all sizes.

    Raises:
        ValueError: the counts follow no law, so they cannot be extended to larger sizes.
    """
    costs = {size: design.run(size) for size in sizes}
    kinds = sorted({kind for cost in costs.values() for kind in cost.sent})
    sent = {kind: _stated(kind, {size: cost.sent.get(kind, 0) for size, cost in costs.items()}) for kind in kinds}
    return Counts(design, costs, sent, _stated("received", {size: cost.received for size, cost in costs.items()}))


def _stated(what: str, counts: Mapping[Size, int]) -> Law:
    law = law_of(counts)
    if law is None:
        raise ValueError(f"{what}: {[(size.hosts, size.pods, count) for size, count in counts.items()]} follow no law")
    return law
