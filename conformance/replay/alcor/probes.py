"""Runs of the specification that no vector says in every way that Alcor's wire has: several requests in one call, hosts that ask
at the same time, a destination in another subnet, an agent that cannot be called back, a port without its neighbor, an address that
is used again. Their results are not written down: the steps are executed like those of vectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from conformance.replay.alcor.scene import Manner
from conformance.replay.replays import Vector
from model.language import Protocol
from model.language.terms import Number
from model.reference.configuration import Configuration
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, Trace, initial_state

AT_ONCE: Final = 8
"""How often two hosts ask at the same time: NCM confuses them only if it handles both at the same moment."""
DEAF: Final = "deaf"
"""A host whose agent stops listening. It has a separate address, since NCM may avoid that for a long time."""


@dataclass(frozen=True)
class Probe:
    """A run, as steps of the specification, and how it is expressed on the wire. Hosts start and are met before the first step."""

    name: str
    about: str
    story: str
    """Actions with their choices, separated by semicolons and lines."""
    pods: Mapping[str, str]
    """VPCs by pod."""
    hosts: tuple[str, ...] = ("h1", "h2")
    manner: Manner = field(default_factory=Manner)


_TWO_PODS: Final = "place p1 h1; place p2 h2; store p1 1; store p2 1"
_RED: Final = {"p1": "red", "p2": "red", "p3": "red"}


def contact(host: str, hosts: tuple[str, ...]) -> Probe:
    """A pod is placed at a host: the first message to NCM about the host, to see whether NCM calls back."""
    others = tuple(each_host for each_host in hosts if each_host != host)
    return Probe(
        f"contact-{host}", f"A pod comes to {host}.", f"place p1 {host}; store p1 1", {"p1": "red"}, (host, *others)
    )


def _at_once() -> Probe:
    numbers = range(1, AT_ONCE + 1)
    placed = [f"place {pod} h3; store {pod} 1" for number in numbers for pod in (f"a{number}", f"b{number}")]
    asked, answered = [], []
    rounds = []
    for number in numbers:
        asked = [f"ask h1 r{number} p1 a{number}", f"ask h2 r{number} p2 b{number}"]
        answered = [f"grant h1 1 r{number} p1 a{number} 1", f"grant h2 1 r{number} p2 b{number} 1"]
        rounds += [*asked, *answered]
    story = "; ".join([_TWO_PODS, *placed, *rounds])
    pods = {"p1": "red", "p2": "red"} | {f"{letter}{number}": "red" for number in numbers for letter in "ab"}
    about = "Two hosts ask at the same time, each for another pod."
    return Probe("two-hosts-at-once", about, story, pods, ("h1", "h2", "h3"), Manner(together=True))


PROBES: Final = (
    Probe(
        "a-batch",
        "A host asks for two pods in one call.",
        f"{_TWO_PODS}; place p3 h2; store p3 1; ask h1 r1 p1 p2; ask h1 r2 p1 p3; grant h1 1 r1 p1 p2 1; grant h1 1 r2 p1 p3 1",
        _RED,
        manner=Manner(together=True),
    ),
    Probe(
        "a-batch-with-a-refusal",
        "A host asks in one call for a pod, for one that is not there, and for another one.",
        f"{_TWO_PODS}; place p3 h2; store p3 1; ask h1 r1 p1 p2; ask h1 r2 p1 p4; ask h1 r3 p1 p3; "
        "grant h1 1 r1 p1 p2 1; refuse h1 1 r2 p1 p4 unknown; grant h1 1 r3 p1 p3 1",
        {**_RED, "p4": "red"},
        manner=Manner(together=True),
    ),
    _at_once(),
    Probe(
        "another-subnet",
        "The destination is in another subnet of the VPC.",
        f"{_TWO_PODS}; ask h1 r1 p1 p2; grant h1 1 r1 p1 p2 1",
        {"p1": "red", "p2": "red"},
        manner=Manner(own_subnets=True),
    ),
    Probe(
        "a-removed-pod",
        "A pod that a host was told of is removed, and asked for again.",
        f"{_TWO_PODS}; ask h1 r1 p1 p2; grant h1 1 r1 p1 p2 1; remove p2; store p2 2; ask h1 r2 p1 p2; "
        "refuse h1 1 r2 p1 p2 gone",
        {"p1": "red", "p2": "red"},
    ),
    Probe(
        "a-removed-pod-nobody-asked-for",
        "A pod is removed before anybody asks for it.",
        f"{_TWO_PODS}; remove p2; store p2 2; ask h1 r1 p1 p2; refuse h1 1 r1 p1 p2 gone",
        {"p1": "red", "p2": "red"},
    ),
    Probe(
        "a-reused-address",
        "An address is given to a new port at another host, and asked for after that.",
        f"{_TWO_PODS}; remove p2; store p2 2; place p2 h3; store p2 3; ask h1 r1 p1 p2; grant h1 1 r1 p1 p2 3",
        {"p1": "red", "p2": "red"},
        ("h1", "h2", "h3"),
    ),
    Probe(
        "a-move",
        "A pod moves; the host that asked for it before hears so, and one that asks now is sent to the new place.",
        f"{_TWO_PODS}; place p3 h3; store p3 1; ask h1 r1 p1 p2; grant h1 1 r1 p1 p2 1; place p2 h3; store p2 2; "
        "ask h1 r2 p1 p2; grant h1 1 r2 p1 p2 2",
        _RED,
        ("h1", "h2", "h3"),
    ),
    Probe(
        "an-older-revision",
        "A revision comes after a newer one.",
        "place p1 h1; store p1 1; place p2 h2; place p2 h3; store p2 2; supersede p2 1; ask h1 r1 p1 p2; "
        "grant h1 1 r1 p1 p2 2",
        {"p1": "red", "p2": "red"},
        ("h1", "h2", "h3"),
    ),
    Probe(
        "another-tenant",
        "A host that houses pods of two tenants asks across them, and in the name of a pod at another host.",
        f"{_TWO_PODS}; place p3 h2; store p3 1; place p4 h1; store p4 1; ask h1 r1 p1 p3; refuse h1 1 r1 p1 p3 other_vpc; "
        "forge_request h1 1 r2 p2 p1; refuse h1 1 r2 p2 p1 not_your_source; ask h1 r3 p4 p3; grant h1 1 r3 p4 p3 1",
        {"p1": "red", "p2": "red", "p3": "blue", "p4": "blue"},
    ),
    Probe(
        "a-restart",
        "An agent starts anew, says so, and asks again for what it was told before.",
        f"{_TWO_PODS}; ask h1 r1 p1 p2; grant h1 1 r1 p1 p2 1; restart h1; greet h1 2; ask h1 r2 p1 p2; "
        "grant h1 2 r2 p1 p2 1",
        {"p1": "red", "p2": "red"},
    ),
    Probe(
        "a-port-without-a-neighbor",
        "DPM sends a port, and not its neighbor; a host asks for it. NCM may refuse, but not say that the host was told.",
        f"{_TWO_PODS}; ask h1 r1 p1 p2; grant h1 1 r1 p1 p2 1",
        {"p1": "red", "p2": "red"},
        manner=Manner(says_neighbors=False),
    ),
    Probe(
        "an-agent-that-cannot-be-called",
        "An agent asks, and nothing listens where NCM calls it back.",
        f"place p1 {DEAF}; place p2 h2; store p1 1; store p2 1; ask {DEAF} r1 p1 p2; grant {DEAF} 1 r1 p1 p2 1",
        {"p1": "red", "p2": "red"},
        ("h2", DEAF),
        Manner(deaf=frozenset({DEAF})),
    ),
)


def executed(probe: Probe, protocol: Protocol) -> Vector:
    """A probe as a trace: every step is possible, or this raises an AssertionError that names it."""
    calls = [item.split() for item in probe.story.replace("\n", ";").split(";") if item.strip()]
    requests = sorted({word for call in calls for word in call if word[0] == "r" and word[1:].isdigit()})
    correct = not any(call[0].startswith("forge") for call in calls)
    configuration = Configuration(
        probe.name,
        {
            "Host": probe.hosts,
            "Pod": tuple(probe.pods),
            "Vpc": tuple(dict.fromkeys(probe.pods.values())),
            "Request": tuple(requests) or ("r1",),
        },
        {"Version": 4, "Epoch": 2},
        {
            "vpc_of": {(pod,): vpc for pod, vpc in probe.pods.items()},
            "correct": frozenset((host,) for host in probe.hosts if correct),
        },
        doc=probe.about,
    )
    interpreter = Interpreter(protocol, configuration)
    states, steps = [initial_state(protocol, configuration)], []
    parameters = {action.name: action.parameters for action in protocol.actions}

    def take(name: str, *words: str) -> None:
        choices = tuple(
            (one.name, int(word) if issubclass(one.sort, Number) else word)
            for one, word in zip(parameters[name], words, strict=True)
        )
        step = Occurrence(name, choices)
        assert interpreter.is_enabled(states[-1], step), f"{probe.name}: {step} is not possible"
        steps.append(step)
        states.append(interpreter.apply(states[-1], step)[0])

    for call in _started(probe, calls, correct=correct):
        take(*call)
    return Vector(
        probe.name, Trace(protocol.name, configuration, tuple(states), tuple(steps), probe.about), protocol, protocol
    )


def _started(probe: Probe, calls: list[list[str]], *, correct: bool) -> Iterator[list[str]]:
    """The calls, with what has to come before some of them: hosts start and are met, agents learn of their own pods."""
    for host in probe.hosts:
        yield ["restart", host] if correct else ["forge_hello", host, "1"]
        yield ["greet", host, "1"]
    places: dict[tuple[str, str], str] = {}
    versions: dict[str, int] = {}
    epochs = dict.fromkeys(probe.hosts, 1)
    for call in calls:
        match call:
            case ["ask", *request] if not correct:
                yield ["forge_request", request[0], str(epochs[request[0]]), *request[1:]]
                continue
            case ["place" | "remove", pod, *rest]:
                versions[pod] = versions.get(pod, 0) + 1
                places |= {(pod, str(versions[pod])): item for item in rest}
        yield call
        match call:
            case ["restart", host]:
                epochs[host] += 1
            case ["store", pod, version] if correct and (pod, version) in places:
                home = places[pod, version]
                yield ["learn", home, str(epochs[home]), pod, version]
            case ["greet", host, epoch] if correct:
                for (pod, version), place in places.items():
                    if place == host and versions[pod] == int(version):
                        yield ["learn", host, epoch, pod, version]
