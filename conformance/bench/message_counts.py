"""How many messages a change costs, counted in runs of the statement itself, and the law that the counts follow.

A run is a world in which nothing goes wrong: so many hosts with so many pods of one VPC each, all agents met. Then one more pod
comes, and everything that follows from it happens. What is counted are the messages that the actions of the statement send; no
formula is typed in. Laws are found by solving for the counts, and hold exactly at every counted size, or there is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import Final

from conformance.bench.message_sizes import bytes_of
from model.language import Action, Protocol
from model.reference.configuration import Configuration, of_sizes
from model.reference.interpreter import Interpreter
from model.reference.state import Element, Occurrence, State, initial_state
from spec.message_queue.protocol import PROTOCOL as MESSAGE_QUEUE
from spec.on_demand.protocol import PROTOCOL as ON_DEMAND
from spec.slots.protocol import PROTOCOL as SLOTS


@dataclass(frozen=True, order=True)
class Size:
    """Hosts, and the pods that each has before the change."""

    hosts: int
    pods: int


SIZES: Final = tuple(Size(hosts, pods) for hosts in (2, 3, 5, 8, 12) for pods in (1, 2, 4))
"""Where the runs are made: more sizes than a law has terms, so that a wrong one is noticed."""


@dataclass(frozen=True)
class Cost:
    """What one change brings about."""

    sent: Mapping[str, int]
    """Messages that somebody publishes, by the name of the statement's message or topic."""
    received: int
    """Messages that agents receive, all hosts together."""


class World:
    """A run under construction."""

    def __init__(
        self, protocol: Protocol, configuration: Configuration, topics: Mapping[str, str] | None = None
    ) -> None:
        self._protocol = protocol
        self._configuration = configuration
        self._interpreter = Interpreter(protocol, configuration)
        self._topics = topics or {}
        """By action: the relation that holds what it publishes to a topic. One such step is one message, whoever gets copies."""
        self._some: dict[tuple[str, ...], Interpreter] = {}
        self.state: State = initial_state(protocol, configuration)
        self.sent: Counter[str] = Counter()
        self.received = 0

    def do(self, action: str, *choices: Element) -> None:
        """An action with these choices, in the order of its parameters; it must be possible."""
        names = [variable.name for variable in self._action(action).parameters]
        occurrence = Occurrence(action, tuple(zip(names, choices, strict=True)))
        assert self._interpreter.is_enabled(self.state, occurrence), f"{occurrence} is not possible"
        self._take(self._interpreter, occurrence)

    def settle(self, *actions: str) -> None:
        """These actions, as long as one of them is possible. They must come to an end."""
        if actions not in self._some:
            others = {action.name for action in self._protocol.actions} - set(actions)
            some = replace(self._configuration, without=frozenset(others))
            self._some[actions] = Interpreter(self._protocol, some)
        interpreter = self._some[actions]
        while possible := interpreter.enabled(self.state):
            for occurrence in possible:
                if interpreter.is_enabled(self.state, occurrence):
                    self._take(interpreter, occurrence)

    def begin(self) -> None:
        """Counts from here on."""
        self.sent.clear()
        self.received = 0

    def cost(self) -> Cost:
        """What was counted."""
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
        self.sent += Counter()  # forgets what is not there


def _world(
    protocol: Protocol,
    size: Size,
    bounds: Mapping[str, int],
    topics: Mapping[str, str] | None = None,
    constants: Mapping[str, Mapping[tuple[Element, ...], Element]] | None = None,
) -> World:
    """One VPC, all of whose agents are correct, with numbers up to these."""
    own = {sort.__name__ for sort in protocol.sorts}
    sizes = {"Host": size.hosts, "Pod": size.hosts * size.pods + 1, "Slot": size.hosts, "Vpc": 1, "Request": 1}
    world = of_sizes("counted", protocol, {name: count for name, count in sizes.items() if name in own})
    given: dict[str, frozenset[tuple[Element, ...]] | Mapping[tuple[Element, ...], Element]] = {
        **world.constants,
        "correct": frozenset((host,) for host in world.sorts["Host"]),
        **(constants or {}),
    }
    if "usable" in given:
        given["usable"] = frozenset((slot,) for slot in world.sorts["Slot"])
    return World(protocol, replace(world, bounds={**world.bounds, **bounds}, constants=given), topics)


FOLLOWS: Final = ("store", "learn", "acknowledge", "report_done", "complete")
"""What follows from a placement."""


def _placed(protocol: Protocol, size: Size) -> World:
    """All agents are met, and all pods but the last placed, evenly."""
    world = _world(protocol, size, {"Version": 1, "Epoch": 1})
    for host in range(1, size.hosts + 1):
        world.do("restart", f"h{host}")
    world.settle("greet")
    world.begin()
    for pod in range(size.hosts * size.pods):
        world.do("place", f"p{pod + 1}", f"h{pod % size.hosts + 1}")
    world.settle(*FOLLOWS)
    return world


def _place_another(protocol: Protocol, size: Size) -> World:
    world = _placed(protocol, size)
    world.begin()
    world.do("place", f"p{size.hosts * size.pods + 1}", "h2")
    world.settle(*FOLLOWS)
    return world


def on_demand(size: Size) -> Cost:
    """A pod comes: its home is told, and nobody else."""
    return _place_another(ON_DEMAND, size).cost()


def learned_route(size: Size) -> Cost:
    """A host sends to a pod for the first time: it asks, and is answered."""
    world = _place_another(ON_DEMAND, size)
    remote = f"p{size.hosts * size.pods + 1}"
    world.begin()
    world.do("ask", "h1", "r1", "p1", remote)
    world.do("grant", "h1", 1, "r1", "p1", remote, 1)
    world.do("release", "h1", 1, "r1", "p1", remote, 1)
    world.settle(*FOLLOWS)
    return world.cost()


def push_to_all(size: Size) -> Cost:
    """A pod comes: every host is told."""
    variant = next(each_variant for each_variant in ON_DEMAND.variants if each_variant.name == "pushes_to_all")
    return _place_another(ON_DEMAND.with_variant(variant), size).cost()


def network_on_demand(size: Size) -> Cost:
    """All pods of a network come, one after the other: a message to the home of each."""
    return _placed(ON_DEMAND, size).cost()


def network_pushed_to_all(size: Size) -> Cost:
    """The same where every host is told of every pod."""
    variant = next(each_variant for each_variant in ON_DEMAND.variants if each_variant.name == "pushes_to_all")
    return _placed(ON_DEMAND.with_variant(variant), size).cost()


def one_message_per_host(size: Size) -> Cost:
    """A pod comes: each host is told by a message of its own on the topic of its VPC, under a key of its slot."""
    bounds = {"Epoch": 1, "Turn": 1, "Revision": size.hosts}
    world = _world(SLOTS, size, bounds, {"publish": "logged"}, {"patience": {("v1",): 1}})
    hosts = [(f"h{number}", f"s{number}") for number in range(1, size.hosts + 1)]
    for host, slot in hosts:
        world.do("start", host)
        world.do("allot", "v1", host, slot)
    world.settle("greet", "fill")
    for host, slot in hosts:
        world.do("ask", "v1", host, slot)
    world.settle("attach", "hear_acceptance")
    world.begin()
    for host, slot in hosts:
        world.do("publish", "v1", host, slot)
    world.settle("dispatch", "learn", "acknowledge")
    return world.cost()


def one_message_per_network(size: Size) -> Cost:
    """A pod comes: what the hosts of its VPC share is published once, and the broker hands it to each of them."""
    ports = size.hosts * size.pods
    bounds = {"Revision": 1, "Epoch": 1, "Size": ports, "Attempt": 1, "Tries": 1}
    one: dict[tuple[Element, ...], Element] = {("v1",): 1}
    large = {"many_ports": one, "many_in_a_group": one, "patience": one}
    world = _world(MESSAGE_QUEUE, size, bounds, {"publish": "backlog"}, large)
    for number in range(size.hosts):
        world.do("restart", f"h{number + 1}")
    world.settle("greet")
    for number in range(ports):
        world.do("add_port", f"h{number % size.hosts + 1}", "v1")
    world.settle("open_topic", "ask", "accept", "hear_acceptance", "finish_opening")
    world.begin()
    world.do("change_rules", "v1")
    world.settle("publish", "receive", "consume", "acknowledge", "report_done")
    return world.cost()


@dataclass(frozen=True)
class Design:
    """A way to let hosts know that a pod comes."""

    protocol: str
    """Whose statement it is a run of."""
    run: Callable[[Size], Cost]


FROM_AGENTS: Final = ("hello", "request", "applied")
"""The messages that agents send."""

DESIGNS: Final[Mapping[str, Design]] = {
    "push to all": Design(ON_DEMAND.name, push_to_all),
    "queue as built": Design(SLOTS.name, one_message_per_host),
    "queue as corrected": Design(MESSAGE_QUEUE.name, one_message_per_network),
    "on demand": Design(ON_DEMAND.name, on_demand),
    "a route learned": Design(ON_DEMAND.name, learned_route),
}
"""By name: a run in which a pod comes. The last is what on demand costs besides, for each route that somebody needs."""

NETWORKS: Final[Mapping[str, Design]] = {
    "push to all": Design(ON_DEMAND.name, network_pushed_to_all),
    "on demand": Design(ON_DEMAND.name, network_on_demand),
}
"""By name: a run in which all pods of a network come."""


# ---------------------------------------------------------------------------------------------------------- laws

TERMS: Final[Mapping[str, Callable[[Size], int]]] = {
    "1": lambda size: 1,
    "h": lambda size: size.hosts,
    "p": lambda size: size.pods,
    "h·p": lambda size: size.hosts * size.pods,
    "h²": lambda size: size.hosts**2,
    "p·h²": lambda size: size.pods * size.hosts**2,
}
"""What a law may be made of: h hosts with p pods each."""


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
    """The law of a sum."""
    factors = Counter[str]()
    for law in laws:
        factors.update(law.factors)
    return Law({term: factors[term] for term in TERMS if factors[term]})


def law_of(counts: Mapping[Size, int]) -> Law | None:
    """The law with the fewest terms, two at most, that gives every count exactly; none if there is no such law."""
    if not any(counts.values()):
        return Law({})
    for terms in [*combinations(TERMS, 1), *combinations(TERMS, 2)]:
        factors = _solved([[TERMS[term](size) for term in terms] for size in counts], list(counts.values()))
        if factors is not None:
            return Law(dict(zip(terms, factors, strict=True)))
    return None


def _solved(rows: list[list[int]], values: list[int]) -> list[int] | None:
    """Integer factors, none of them 0, that solve all equations; by the first equations that determine them."""
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
    """The solution of one or two equations; none if they do not determine it."""
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
    """What one design costs at every counted size, and the laws."""

    design: Design
    costs: Mapping[Size, Cost]
    sent: Mapping[str, Law]
    """By kind of message."""
    received: Law

    def messages(self, size: Size) -> int:
        """Published for one change, by the laws."""
        return sum(law(size) for law in self.sent.values())

    def bytes(self, size: Size) -> int:
        """Of their payloads."""
        protocol = self.design.protocol
        return sum(bytes_of(protocol, kind) * law(size) for kind, law in self.sent.items())

    def from_above(self) -> Law:
        """Those of the messages that do not come from agents."""
        return total(law for kind, law in self.sent.items() if kind not in FROM_AGENTS)

    def all(self) -> Law:
        """All messages."""
        return total(self.sent.values())


def counted(design: Design, sizes: tuple[Size, ...] = SIZES) -> Counts:
    """Runs a design at all sizes.

    Raises:
        ValueError: the counts follow no law, so nothing can be said of larger sizes.
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
