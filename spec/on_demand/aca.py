"""The actions of a correct agent: it learns what NCM sends to its epoch, and asks for pods that it has no route to.

Knowing a pod and having a route to it are separate. The known version never decreases within an epoch. A route is installed by an
answer; evicting it does not change the known version.
"""

from __future__ import annotations

from model.language import Step, action, alternatives, for_each
from model.language.quantifiers import forall
from model.language.terms import Formula
from spec.on_demand.definitions import local, newest, placed, route_state, same_vpc, session_state, usable
from spec.on_demand.vocabulary import (
    ACA,
    Epoch,
    Host,
    Pod,
    Reason,
    Request,
    Route,
    Session,
    Version,
    applied,
    asked,
    correct,
    delivered,
    dropped,
    epoch,
    granted,
    hello,
    installed,
    known,
    paused,
    refused,
    released,
    request,
    route,
    used,
    waiting,
)

_epoch_of = epoch  # an alias, since actions have a parameter called epoch

ANY_ROUTE = [Route.unknown, Route.asking, Route.installed, Route.evicted, Route.refused]
NOT_INSTALLED = [Route.unknown, Route.asking, Route.evicted, Route.refused]


@action(by=ACA)
def restart(host: Host) -> Step:
    """The agent starts or restarts: it begins a new epoch in which it knows nothing."""
    return Step(
        when=[correct(host)],
        then=[
            epoch.assign(host, to=epoch(host) + 1),
            hello.send(host, epoch(host) + 1),
            for_each(Pod, lambda pod: known.assign(host, pod, to=Version.of(0))),
            for_each(Pod, lambda pod: installed.remove(host, pod)),
            for_each(
                Request,
                Pod,
                Pod,
                lambda asked_by, source, destination: waiting.remove(host, asked_by, source, destination),
            ),
            for_each(Pod, Pod, lambda source, destination: paused.remove(host, source, destination)),
        ],
        moves=[
            session_state.move(host, source=[Session.greeted], to=[Session.starting]),
            for_each(Pod, lambda pod: route_state.move(host, pod, source=ANY_ROUTE, to=[Route.unknown])),
        ],
    )


def may_send(host: Host, source: Pod, destination: Pod) -> list[Formula]:
    """The agent has started, and a pod of this host sends to another pod of its VPC."""
    started = epoch(host) > Epoch.of(0)
    return [correct(host) & started, local(host, source), source != destination, same_vpc(source, destination)]


@action(by=ACA)
def deliver(host: Host, source: Pod, destination: Pod) -> Step:
    """A packet with a usable route is delivered."""
    return Step(
        when=[*may_send(host, source, destination), usable(host, destination)],
        emits=[delivered(host, source, destination)],
    )


@action(by=ACA)
def ask(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Step:
    """A packet without a route is held, and the agent asks for the destination."""
    return Step(
        when=[
            *may_send(host, source, destination),
            ~usable(host, destination),
            ~paused(host, source, destination),
            ~used(host, asked_by),
        ],
        then=[
            waiting.add(host, asked_by, source, destination),
            used.add(host, asked_by),
            request.send(host, epoch(host), asked_by, source, destination),
            asked.add(host, epoch(host), destination),
        ],
        moves=[route_state.move(host, destination, source=NOT_INSTALLED, to=[Route.asking])],
    )


@action(by=ACA)
def drop(host: Host, source: Pod, destination: Pod) -> Step:
    """A packet that was refused recently is dropped without asking again."""
    return Step(
        when=[
            *may_send(host, source, destination),
            ~usable(host, destination),
            paused(host, source, destination),
        ],
    )


@alternatives(deliver, ask, drop)
def takes_a_packet(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """Every packet is delivered, held, or dropped."""
    given = may_send(host, source, destination)
    return given[0] & given[1] & given[2] & given[3] & ~used(host, asked_by)


@action(by=ACA, fair=True)
def learn(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """The agent keeps a version newer than the known one, and confirms it. An installed route follows the version."""
    return Step(
        takes=[route(host, epoch, pod, version)],
        when=[correct(host), epoch == _epoch_of(host), known(host, pod) < version],
        then=[known.assign(host, pod, to=version), applied.send(host, epoch, pod, version)],
        moves=[route_state.move(host, pod, source=[Route.unknown], to=[Route.evicted])],
    )


@action(by=ACA, fair=True)
def release(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version) -> Step:
    """The answer to a held packet arrives: the route is installed, and the packet is sent."""
    return Step(
        takes=[granted(host, epoch, asked_by, destination, version)],
        when=[
            correct(host),
            epoch == _epoch_of(host),
            waiting(host, asked_by, source, destination),
            placed(destination, newest(host, destination, version)),
        ],
        then=[
            known.assign(host, destination, to=newest(host, destination, version)),
            installed.add(host, destination),
            waiting.remove(host, asked_by, source, destination),
            applied.send(host, epoch, destination, version).when(known(host, destination) < version),
        ],
        emits=[released(host, asked_by, source, destination)],
        moves=[route_state.move(host, destination, source=[Route.asking, Route.installed], to=[Route.installed])],
    )


@action(by=ACA, fair=True)
def drop_as_gone(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version) -> Step:
    """The answer to a held packet arrives after the agent learned that the pod is gone: the packet is dropped."""
    return Step(
        takes=[granted(host, epoch, asked_by, destination, version)],
        when=[
            correct(host),
            epoch == _epoch_of(host),
            waiting(host, asked_by, source, destination),
            ~placed(destination, newest(host, destination, version)),
        ],
        then=[installed.add(host, destination), waiting.remove(host, asked_by, source, destination)],
        emits=[dropped(host, asked_by, source, destination)],
        moves=[route_state.move(host, destination, source=[Route.asking, Route.installed], to=[Route.installed])],
    )


@action(by=ACA, fair=True)
def learn_late(host: Host, epoch: Epoch, asked_by: Request, destination: Pod, version: Version) -> Step:
    """An answer without a held packet still delivers a newer version, because NCM assumes that the agent knows it."""
    return Step(
        takes=[granted(host, epoch, asked_by, destination, version)],
        when=[
            correct(host),
            epoch == _epoch_of(host),
            known(host, destination) < version,
            forall(Pod, lambda source: ~waiting(host, asked_by, source, destination)),
        ],
        then=[known.assign(host, destination, to=version), applied.send(host, epoch, destination, version)],
        moves=[route_state.move(host, destination, source=[Route.unknown], to=[Route.evicted])],
    )


@alternatives(release, drop_as_gone, learn_late)
def takes_a_grant(host: Host, epoch: Epoch, asked_by: Request, destination: Pod, version: Version) -> Formula:
    """A grant of this epoch releases the packet, drops it, or delivers a newer version without a held packet."""
    mine = correct(host) & (epoch == _epoch_of(host))
    return mine & granted.unspent(host, epoch, asked_by, destination, version)


@action(by=ACA, fair=True)
def drop_as_refused(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, why: Reason) -> Step:
    """NCM refused: the held packet is dropped, and the agent pauses before asking again."""
    return Step(
        takes=[refused(host, epoch, asked_by, why)],
        when=[correct(host), epoch == _epoch_of(host), waiting(host, asked_by, source, destination)],
        then=[waiting.remove(host, asked_by, source, destination), paused.add(host, source, destination)],
        emits=[dropped(host, asked_by, source, destination)],
        moves=[route_state.move(host, destination, source=[Route.asking], to=[Route.refused])],
    )


@action(by=ACA, fair=True)
def resume(host: Host, source: Pod, destination: Pod) -> Step:
    """The pause after a refusal ends."""
    return Step(
        when=[correct(host), paused(host, source, destination)],
        then=[paused.remove(host, source, destination)],
        moves=[route_state.move(host, destination, source=[Route.refused], to=[Route.unknown, Route.evicted])],
    )


@action(by=ACA, fair=True)
def time_out(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Step:
    """No answer arrived in time: the held packet is dropped."""
    return Step(
        when=[correct(host), waiting(host, asked_by, source, destination)],
        then=[waiting.remove(host, asked_by, source, destination)],
        emits=[dropped(host, asked_by, source, destination)],
        moves=[
            route_state.move(host, destination, source=[Route.asking], to=[Route.unknown, Route.evicted, Route.refused])
        ],
    )


@action(by=ACA)
def evict(host: Host, pod: Pod) -> Step:
    """An idle route is removed. The known version of the pod stays."""
    return Step(
        when=[correct(host), installed(host, pod), ~local(host, pod)],
        then=[installed.remove(host, pod)],
        moves=[route_state.move(host, pod, source=[Route.installed], to=[Route.asking, Route.evicted, Route.refused])],
    )
