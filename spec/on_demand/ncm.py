"""The actions of NCM: it stores newer versions, sends them to the hosts concerned, and answers authorized requests.

NCM trusts the channel, not the payload: a message belongs to the host on whose channel it arrived.
"""

from __future__ import annotations

from model.language import Change as Changed
from model.language import Move, Step, action, alternatives, definition, for_each
from model.language.quantifiers import exists, forall
from model.language.terms import Formula
from spec.on_demand.definitions import answerable, home, placed, record_state, same_vpc, session_state, why_not
from spec.on_demand.vocabulary import (
    NCM,
    Change,
    Epoch,
    Host,
    Pod,
    Point,
    Reason,
    Record,
    Request,
    Session,
    Version,
    applied,
    at,
    change,
    config,
    granted,
    greeted,
    hello,
    housed,
    member,
    must,
    pending,
    recorded,
    refused,
    removed,
    report,
    request,
    route,
    told,
    vpc_of,
)

NEVER = Epoch.of(0)


@definition
def concerned(host: Host, pod: Pod, version: Version) -> Formula:
    """Hosts that must receive the version: all that were told of the pod, and its new home."""
    return ~removed(host) & (told(host, pod) | at(pod, version, host))


def remember_home(pod: Pod, version: Version) -> list[Changed]:
    """History: where NCM's record places the pod."""
    return [
        for_each(Host, lambda host: housed.add(host, pod).when(at(pod, version, host))),
        for_each(Host, lambda host: member.add(host, vpc_of(pod)).when(at(pod, version, host))),
    ]


@action(by=NCM, fair=True)
def store(pod: Pod, version: Version) -> Step:
    """A newer version replaces the record. In the same step NCM notes the hosts that must confirm it, and sends it to them."""
    return Step(
        takes=[config(pod, version)],
        when=[recorded(pod) < version],
        then=[
            recorded.assign(pod, to=version),
            change.assign(pod, version, to=Change.pending),
            for_each(Host, lambda host: pending.add(pod, version, host).when(concerned(host, pod, version))),
            for_each(
                Host, lambda host: must.add(pod, version, host, greeted(host)).when(concerned(host, pod, version))
            ),
            for_each(
                Host,
                lambda host: route.send(host, greeted(host), pod, version).when(
                    concerned(host, pod, version) & (greeted(host) > NEVER)
                ),
            ),
            for_each(Host, lambda host: told.add(host, pod).when(at(pod, version, host) & ~removed(host))),
            *remember_home(pod, version),
        ],
        moves=[
            record_state.move(pod, source=[Record.unknown, Record.placed, Record.gone], to=[Record.placed, Record.gone])
        ],
    )


@action(by=NCM, fair=True)
def supersede(pod: Pod, version: Version) -> Step:
    """A version that arrives after a newer one was recorded is not stored, and is reported to DPM as superseded."""
    return Step(
        takes=[config(pod, version)],
        when=[version < recorded(pod), change(pod, version) == Change.none],
        then=[change.assign(pod, version, to=Change.superseded), report.send(pod, version, Change.superseded)],
    )


@alternatives(store, supersede)
def takes_a_config(pod: Pod, version: Version) -> Formula:
    """A version that NCM has not processed is either stored or superseded."""
    return config.unspent(pod, version)


def greeting(host: Host, epoch: Epoch) -> list[Changed]:
    """The agent of a new epoch knows nothing: it counts as told of the pods at its host only, and these are sent again."""
    return [
        greeted.assign(host, to=epoch),
        for_each(Pod, lambda pod: told.assign(host, pod, to=home(host, pod))),
        for_each(Pod, Version, lambda pod, version: pending.remove(pod, version, host).when(~home(host, pod))),
        for_each(
            Pod,
            Version,
            lambda pod, version: must.add(pod, version, host, epoch).when(
                home(host, pod) & pending(pod, version, host)
            ),
        ),
        for_each(Pod, lambda pod: route.send(host, epoch, pod, recorded(pod)).when(home(host, pod))),
    ]


def greeting_moves(host: Host) -> list[Move]:
    """The session of a greeted host."""
    return [session_state.move(host, source=[Session.starting], to=[Session.greeted])]


@action(by=NCM, fair=True)
def greet(host: Host, epoch: Epoch) -> Step:
    """NCM meets a newer epoch of an agent."""
    return Step(
        takes=[hello(host, epoch)],
        when=[greeted(host) < epoch, ~removed(host)],
        then=greeting(host, epoch),
        moves=greeting_moves(host),
    )


@action(by=NCM, fair=True)
def greet_by_request(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod) -> Step:
    """A request of a newer epoch overtook the hello: it greets too, and is answered afterwards."""
    return Step(
        takes=[request(host, epoch, asked_by, source, destination)],
        when=[greeted(host) < epoch, ~removed(host)],
        then=greeting(host, epoch),
        moves=greeting_moves(host),
    )


@action(by=NCM, fair=True)
def grant(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version) -> Step:
    """NCM answers the asking host, and from then on sends it every newer version of the pod."""
    return Step(
        takes=[request(host, epoch, asked_by, source, destination)],
        when=[
            epoch == greeted(host),
            ~removed(host),
            home(host, source),
            same_vpc(source, destination),
            placed(destination, recorded(destination)),
            version == recorded(destination),
        ],
        then=[told.add(host, destination), granted.send(host, epoch, asked_by, destination, version)],
    )


@action(by=NCM, fair=True)
def refuse(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, why: Reason) -> Step:
    """NCM refuses the asking host, with the reason."""
    return Step(
        takes=[request(host, epoch, asked_by, source, destination)],
        when=[
            epoch == greeted(host),
            ~removed(host),
            ~answerable(host, source, destination),
            why == why_not(host, source, destination),
        ],
        then=[refused.send(host, epoch, asked_by, why)],
    )


@alternatives(greet_by_request, grant, refuse)
def takes_a_request(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """A request of the current or a newer epoch is granted or refused, or first greets."""
    return request.unspent(host, epoch, asked_by, source, destination) & ~removed(host)


@action(by=NCM, fair=True)
def remind(host: Host, pod: Pod) -> Step:
    """A host has yet to confirm a version of the pod: NCM resends the recorded version."""
    return Step(
        when=[
            told(host, pod),
            greeted(host) > NEVER,
            exists(Version, lambda version: pending(pod, version, host)),
        ],
        then=[route.send(host, greeted(host), pod, recorded(pod))],
    )


@action(by=NCM, fair=True)
def acknowledge(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """A host confirms the version that it applied and all older ones. A version that NCM has not recorded cannot be confirmed."""
    return Step(
        takes=[applied(host, epoch, pod, version)],
        when=[
            epoch == greeted(host),
            version <= recorded(pod),
            exists(Version, lambda older: (older <= version) & pending(pod, older, host)),
        ],
        then=[for_each(Version, lambda older: pending.remove(pod, older, host).when(older <= version))],
    )


@action(by=NCM, fair=True)
def report_done(pod: Pod, version: Version) -> Step:
    """Every host has confirmed: the version is done."""
    return Step(
        when=[change(pod, version) == Change.pending, forall(Host, lambda host: ~pending(pod, version, host))],
        then=[change.assign(pod, version, to=Change.done), report.send(pod, version, Change.done)],
    )


@action(by=NCM, fair=True)
def report_failed(pod: Pod, version: Version) -> Step:
    """Some host has not confirmed in time: the version failed, and NCM stops waiting for it."""
    return Step(
        when=[change(pod, version) == Change.pending, exists(Host, lambda host: pending(pod, version, host))],
        then=[
            change.assign(pod, version, to=Change.failed),
            for_each(Host, lambda host: pending.remove(pod, version, host)),
            report.send(pod, version, Change.failed),
        ],
    )


@alternatives(report_done, report_failed)
def ends_a_change(pod: Pod, version: Version) -> Formula:
    """A pending change can always end: no host can block it forever."""
    return change(pod, version) == Change.pending


@action(by=NCM)
def deregister(host: Host) -> Step:
    """The host leaves: NCM sends it nothing more, stops waiting for it, and ignores its messages."""
    return Step(
        when=[~removed(host)],
        then=[
            removed.add(host),
            for_each(Pod, lambda pod: told.remove(host, pod)),
            for_each(Pod, Version, lambda pod, version: pending.remove(pod, version, host)),
        ],
    )


@action(by=NCM)
def restart_ncm(after: Point) -> Step:
    """NCM crashes and restarts from its store. It loses nothing: unpublished messages are published now, others possibly again."""
    return Step()
