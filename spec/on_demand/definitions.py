"""Definitions that several roles and promises share, and the lifecycles: the state machines of the protocol."""

from __future__ import annotations

from model.language import deadlock_when, definition, lifecycle
from model.language.quantifiers import exists
from model.language.terms import Formula, choose
from spec.on_demand.vocabulary import (
    ACA,
    DPM,
    NCM,
    Change,
    Epoch,
    Host,
    Pod,
    Reason,
    Record,
    Request,
    Route,
    Session,
    Version,
    at,
    epoch,
    granted,
    greeted,
    installed,
    known,
    outcome,
    paused,
    recorded,
    route,
    vpc_of,
    waiting,
)


@definition
def placed(pod: Pod, version: Version) -> Formula:
    """The version places the pod at some host."""
    return exists(Host, lambda home: at(pod, version, home))


@definition
def home(host: Host, pod: Pod) -> Formula:
    """NCM's record places the pod at the host."""
    return at(pod, recorded(pod), host)


@definition
def local(host: Host, pod: Pod) -> Formula:
    """The version that the agent knows places the pod at its own host."""
    return at(pod, known(host, pod), host)


@definition
def same_vpc(pod: Pod, other: Pod) -> Formula:
    """Both pods are addresses of the same VPC."""
    return vpc_of(pod) == vpc_of(other)


@definition
def usable(host: Host, pod: Pod) -> Formula:
    """The agent can send to the pod: it is local, or a route is installed and the known version places it."""
    return local(host, pod) | installed(host, pod) & placed(pod, known(host, pod))


@definition
def newest(host: Host, pod: Pod, version: Version) -> Version:
    """The newer of the version that the agent knows and the one it receives."""
    return choose(known(host, pod) < version, version, known(host, pod))


@definition
def answerable(host: Host, source: Pod, destination: Pod) -> Formula:
    """NCM may grant the request: the source is at the asking host, both pods are in the same VPC, and the destination is placed."""
    return home(host, source) & same_vpc(source, destination) & placed(destination, recorded(destination))


@definition
def why_not(host: Host, source: Pod, destination: Pod) -> Reason:
    """The reason for a refusal. The source is checked before the destination, so an unauthorized host learns nothing about it."""
    return choose(
        ~home(host, source),
        Reason.not_your_source,
        choose(
            ~same_vpc(source, destination),
            Reason.other_vpc,
            choose(recorded(destination) == Version.of(0), Reason.unknown, Reason.gone),
        ),
    )


@definition
def coming(host: Host, pod: Pod) -> Formula:
    """The recorded version of the pod is in flight to the host, in the epoch that NCM has met."""
    return route.unspent(host, greeted(host), pod, recorded(pod)) | exists(
        Request, lambda asked_by: granted.unspent(host, greeted(host), asked_by, pod, recorded(pod))
    )


@deadlock_when
def owed() -> Formula:
    """Work is outstanding: a packet is held, or DPM awaits an outcome."""
    held = exists(
        Host, Request, Pod, lambda host, asked_by, source: exists(Pod, lambda d: waiting(host, asked_by, source, d))
    )
    return held | exists(Pod, Version, lambda pod, version: outcome(pod, version) == Change.pending)


# ---------------------------------------------------------------------------------------------------- lifecycles


@lifecycle(holder=DPM)
def change_state(pod: Pod, version: Version) -> Change:
    """The outcome of a version, as known to DPM."""
    return outcome(pod, version)


@lifecycle(holder=NCM)
def record_state(pod: Pod) -> Record:
    """The record of a pod at NCM."""
    return choose(
        recorded(pod) == Version.of(0),
        Record.unknown,
        choose(placed(pod, recorded(pod)), Record.placed, Record.gone),
    )


@lifecycle(holder=ACA)
def session_state(host: Host) -> Session:
    """The session of an agent: greeted once NCM has met its current epoch."""
    met = (epoch(host) == greeted(host)) & (Epoch.of(0) < epoch(host))
    return choose(met, Session.greeted, Session.starting)


@lifecycle(holder=ACA)
def route_state(host: Host, pod: Pod) -> Route:
    """The route of a host to a pod."""
    asking = exists(Request, Pod, lambda asked_by, source: waiting(host, asked_by, source, pod))
    refusing = exists(Pod, lambda source: paused(host, source, pod))
    return choose(
        installed(host, pod),
        Route.installed,
        choose(
            asking,
            Route.asking,
            choose(refusing, Route.refused, choose(known(host, pod) == Version.of(0), Route.unknown, Route.evicted)),
        ),
    )
