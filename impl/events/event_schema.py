"""The event schema: the content that each line may have.

These tables are the implementation's own reading of the specification; a test compares the two. Events that no protocol knows as a
step are in `STUTTERS`, each with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ON_DEMAND: Final = "on-demand"
MESSAGE_QUEUE: Final = "message-queue"

NUMBER: Final = "number"
"""The kind of integers from 0."""
TRUTH: Final = "truth"
"""The kind of a relation's values."""
TEXT: Final = "text"
"""The kind of text for human readers only."""
NAMES: Final = ("host", "vpc", "pod", "request")
"""Kinds of names: a host, a VPC, `vpc/address`, and `epoch.number` (request numbers are unique within an epoch)."""

MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "change": ("none", "pending", "done", "superseded", "failed"),
    "reason": ("not_your_source", "other_vpc", "unknown", "gone"),
    "channel": ("grpc", "opening", "mq", "closing"),
    "subscription": ("none", "asked", "subscribed", "leaving"),
}
"""Enumerated kinds with all their values; the first is the initial value of every function."""

KIND: Final[Mapping[str, str]] = {
    **dict.fromkeys(("host",), "host"),
    **dict.fromkeys(("vpc",), "vpc"),
    **dict.fromkeys(("pod", "source", "destination"), "pod"),
    **dict.fromkeys(("request", "asked_by"), "request"),
    **dict.fromkeys(("epoch", "version", "revision", "attempt", "remaining", "total", "largest"), NUMBER),
    **dict.fromkeys(("registration", "many_ports", "many_in_a_group", "patience", "bytes"), NUMBER),
    **dict.fromkeys(("result",), "change"),
    **dict.fromkeys(("why", "reason"), "reason"),
}
"""The kind of a value by its name: an action's parameter, or a message's argument."""


@dataclass(frozen=True, slots=True)
class Action:
    """A step of a protocol: its role, its parameters, the message that it takes, and the messages that it may send."""

    role: str
    """`dpm`, `ncm` or `aca`. The first parameter of an `aca` is its host."""
    parameters: tuple[str, ...]
    takes: str = ""
    sends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stutter:
    """An event that is not a step of a protocol."""

    why: str
    """The reason."""
    attributes: Mapping[str, str]
    """Kinds by name; the name of an optional attribute ends with a question mark."""


def _action(role: str, parameters: str, takes: str = "", sends: str = "") -> Action:
    return Action(role, tuple(parameters.split()), takes, tuple(sends.split()))


_ASKED: Final = "host epoch asked_by source destination"
_PACKET: Final = "host source destination"

ACTIONS: Final[Mapping[str, Action]] = {
    "on-demand.place": _action("dpm", "pod host", sends="config"),
    "on-demand.remove": _action("dpm", "pod", sends="config"),
    "on-demand.resend": _action("dpm", "pod version", sends="config"),
    "on-demand.complete": _action("dpm", "pod version result", "report"),
    "on-demand.store": _action("ncm", "pod version", "config", "route"),
    "on-demand.supersede": _action("ncm", "pod version", "config", "report"),
    "on-demand.greet": _action("ncm", "host epoch", "hello", "route"),
    "on-demand.greet_by_request": _action("ncm", _ASKED, "request", "route"),
    "on-demand.grant": _action("ncm", f"{_ASKED} version", "request", "granted"),
    "on-demand.refuse": _action("ncm", f"{_ASKED} why", "request", "refused"),
    "on-demand.remind": _action("ncm", "host pod", sends="route"),
    "on-demand.acknowledge": _action("ncm", "host epoch pod version", "applied"),
    "on-demand.report_done": _action("ncm", "pod version", sends="report"),
    "on-demand.report_failed": _action("ncm", "pod version", sends="report"),
    "on-demand.deregister": _action("ncm", "host"),
    "on-demand.restart": _action("aca", "host", sends="hello"),
    "on-demand.deliver": _action("aca", _PACKET),
    "on-demand.ask": _action("aca", "host asked_by source destination", sends="request"),
    "on-demand.drop": _action("aca", _PACKET),
    "on-demand.learn": _action("aca", "host epoch pod version", "route", "applied"),
    "on-demand.release": _action("aca", f"{_ASKED} version", "granted", "applied"),
    "on-demand.drop_as_gone": _action("aca", f"{_ASKED} version", "granted"),
    "on-demand.learn_late": _action("aca", "host epoch asked_by destination version", "granted", "applied"),
    "on-demand.drop_as_refused": _action("aca", f"{_ASKED} why", "refused"),
    "on-demand.resume": _action("aca", _PACKET),
    "on-demand.time_out": _action("aca", "host asked_by source destination"),
    "on-demand.evict": _action("aca", "host pod"),
    "message-queue.add_port": _action("dpm", "host vpc", sends="push"),
    "message-queue.remove_port": _action("dpm", "host vpc remaining total"),
    "message-queue.regroup": _action("dpm", "vpc largest"),
    "message-queue.change_rules": _action("dpm", "vpc"),
    "message-queue.open_topic": _action("dpm", "vpc"),
    "message-queue.close_topic": _action("dpm", "vpc"),
    "message-queue.send_directly": _action("dpm", "vpc", sends="push"),
    "message-queue.publish": _action("dpm", "vpc", sends="push"),
    "message-queue.finish_opening": _action("dpm", "vpc"),
    "message-queue.finish_closing": _action("dpm", "vpc"),
    "message-queue.ask": _action("dpm", "host vpc", sends="subscribe"),
    "message-queue.ask_again": _action("dpm", "host vpc", sends="subscribe"),
    "message-queue.give_up": _action("dpm", "host vpc"),
    "message-queue.hear_acceptance": _action("dpm", "host epoch vpc attempt", "accepted"),
    "message-queue.hear_refusal": _action("dpm", "host epoch vpc attempt", "declined"),
    "message-queue.leave": _action("dpm", "host vpc", sends="push"),
    "message-queue.end_subscription": _action("dpm", "host vpc"),
    "message-queue.greet": _action("dpm", "host epoch", "hello", "push subscribe"),
    "message-queue.remind": _action("dpm", "host vpc", sends="push"),
    "message-queue.acknowledge": _action("dpm", "host epoch vpc revision", "applied"),
    "message-queue.report_done": _action("dpm", "vpc revision"),
    "message-queue.report_failed": _action("dpm", "vpc revision"),
    "message-queue.restart": _action("aca", "host", sends="hello"),
    "message-queue.learn": _action("aca", "host epoch vpc revision", "push", "applied"),
    "message-queue.accept": _action("aca", "host epoch vpc attempt", "subscribe", "accepted"),
    "message-queue.decline": _action("aca", "host epoch vpc attempt", "subscribe", "declined"),
    "message-queue.receive": _action("aca", "host vpc revision", sends="applied"),
    "message-queue.consume": _action("aca", "host vpc revision"),
}

NOT_RECORDED: Final[Mapping[str, str]] = {
    "restart_dpm": "it shows as process.started; the end of the run before shows in the last line of that run",
    "restart_ncm": "as restart_dpm",
}
"""Steps of a process with a log that no line is named after, each with the reason."""

MESSAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "on-demand.config": ("pod", "version"),
    "on-demand.report": ("pod", "version", "result"),
    "on-demand.hello": ("host", "epoch"),
    "on-demand.request": ("host", "epoch", "request", "source", "destination"),
    "on-demand.applied": ("host", "epoch", "pod", "version"),
    "on-demand.route": ("host", "epoch", "pod", "version"),
    "on-demand.granted": ("host", "epoch", "request", "pod", "version"),
    "on-demand.refused": ("host", "epoch", "request", "reason"),
    "message-queue.push": ("host", "epoch", "vpc", "revision"),
    "message-queue.subscribe": ("host", "epoch", "vpc", "attempt"),
    "message-queue.hello": ("host", "epoch"),
    "message-queue.accepted": ("host", "epoch", "vpc", "attempt"),
    "message-queue.declined": ("host", "epoch", "vpc", "attempt"),
    "message-queue.applied": ("host", "epoch", "vpc", "revision"),
}
"""The arguments of each message."""

SYMBOLS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "dpm": {
        "on-demand.latest": ("pod", NUMBER),
        "on-demand.at": ("pod", NUMBER, "host", TRUTH),
        "on-demand.outcome": ("pod", NUMBER, "change"),
        "message-queue.rules": ("vpc", NUMBER),
        "message-queue.sent": ("vpc", NUMBER),
        "message-queue.outcome": ("vpc", NUMBER, "change"),
        "message-queue.size": ("vpc", NUMBER),
        "message-queue.group": ("vpc", NUMBER),
        "message-queue.ports": ("host", "vpc", NUMBER),
        "message-queue.channel": ("vpc", "channel"),
        "message-queue.subscription": ("host", "vpc", "subscription"),
        "message-queue.attempt": ("host", "vpc", NUMBER),
        "message-queue.tries": ("host", "vpc", NUMBER),
        "message-queue.barred": ("host", "vpc", TRUTH),
        "message-queue.met": ("host", NUMBER),
        "message-queue.confirmed": ("host", "vpc", NUMBER),
    },
    "ncm": {
        "on-demand.recorded": ("pod", NUMBER),
        "on-demand.at": ("pod", NUMBER, "host", TRUTH),
        "on-demand.greeted": ("host", NUMBER),
        "on-demand.told": ("host", "pod", TRUTH),
        "on-demand.pending": ("pod", NUMBER, "host", TRUTH),
        "on-demand.change": ("pod", NUMBER, "change"),
        "on-demand.removed": ("host", TRUTH),
    },
    "aca": {
        "on-demand.epoch": ("host", NUMBER),
        "on-demand.known": ("host", "pod", NUMBER),
        "on-demand.at": ("pod", NUMBER, "host", TRUTH),
        "on-demand.installed": ("host", "pod", TRUTH),
        "on-demand.waiting": ("host", "request", "pod", "pod", TRUTH),
        "on-demand.paused": ("host", "pod", "pod", TRUTH),
        "message-queue.epoch": ("host", NUMBER),
        "message-queue.known": ("host", "vpc", NUMBER),
        "message-queue.heard": ("host", "vpc", NUMBER),
        "message-queue.listening": ("host", "vpc", TRUTH),
    },
}
"""The state of each role: the kinds of a symbol's arguments, and of its value. Of `at`, NCM and agents keep what they were told:
the entries of the versions that they have recorded, or know."""

UNKEPT: Final[Mapping[str, str]] = {
    "on-demand.used": "an agent numbers its requests, and does not need a list of those it sent",
}
"""State of a role with a log that no line shows, each with the reason."""

STUTTERS: Final[Mapping[str, Stutter]] = {
    "process.started": Stutter(
        "a process continues from its stored state; nothing changes",
        {"many_ports?": NUMBER, "many_in_a_group?": NUMBER, "patience?": NUMBER, "bytes?": NUMBER},
    ),
    "process.stopped": Stutter("the stored state stays", {}),
    "process.snapshot": Stutter("it only shows the state", {"bytes?": NUMBER}),
    "message.ignored": Stutter(
        "no action was required; what it sends was sent before", {"message": TEXT, "reason": TEXT}
    ),
    "message.repeated": Stutter("a message sent before stays available, and is sent again", {"message": TEXT}),
    "message.set_aside": Stutter("the input could not be read", {"reason": TEXT}),
    "host.registered": Stutter(
        "a host exists from the beginning; one that is registered again is a new host that has not told anybody anything",
        {"host": "host", "registration": NUMBER},
    ),
    "host.deregistered": Stutter(
        "to DPM, a host that is gone is a host that sends nothing", {"host": "host", "registration": NUMBER}
    ),
    "request.turned_down": Stutter(
        "a sender that uses another host's name is unauthorized; its refusal has a reason that the protocol does not know",
        {"host": "host", "epoch": NUMBER, "asked_by": "request", "named": "host"},
    ),
    "packet.dropped": Stutter(
        "a packet that no agent may take, or that this agent has no room for, is dropped before the protocol is involved",
        {"host": "host", "source": "pod", "destination": "pod", "reason": TEXT},
    ),
    "vpc.added": Stutter("a VPC exists from the beginning", {"vpc": "vpc"}),
    "group.unchanged": Stutter("a group with an unchanged number of ports does not change", {"vpc": "vpc"}),
    "topic.left": Stutter(
        "a client other than DPM makes an agent stop reading; the subscription stays, and DPM reminds the agent",
        {"host": "host", "vpc": "vpc"},
    ),
}
"""`bytes`: the size of a state that did not fit into the line and was left out."""
