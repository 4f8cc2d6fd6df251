"""Deviations that break one part of a promise: a part that no other variant breaks without breaking the rest too.

A promise of several parts would otherwise lose one of them, and every counterexample would still be noticed.
"""

from __future__ import annotations

from model.language import Step, for_each, variant
from model.language.terms import choose
from spec.on_demand.aca import ask, deliver, drop, learn, release, restart, resume, time_out
from spec.on_demand.definitions import answerable, local, placed, same_vpc, usable, why_not
from spec.on_demand.dpm import complete, place
from spec.on_demand.ncm import grant, greet, greet_by_request, refuse, report_done, report_failed, store
from spec.on_demand.promises import (
    acts_once,
    answers_the_asker,
    applied_means_confirmed,
    dpm_hears_what_happened,
    failed_means_waited,
    grants_by_the_record,
    refuses_for_a_true_reason,
    releases_only_to_a_place,
    sends_to_the_told_only,
    versions_are_immutable,
    waits_for_all_concerned,
)
from spec.on_demand.vocabulary import (
    Change,
    Epoch,
    Host,
    Pod,
    Reason,
    Request,
    Version,
    applied,
    at,
    change,
    config,
    delivered,
    dropped,
    granted,
    greeted,
    hello,
    installed,
    latest,
    must,
    paused,
    pending,
    recorded,
    refused,
    removed,
    report,
    route,
    told,
    used,
    waiting,
)


@variant(replaces=grant, breaks=[sends_to_the_told_only])
def grants_a_host_that_has_left(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """NCM goes on answering a host that was deregistered."""
    return grant.but(without=[~removed(host)])


@variant(replaces=refuse, breaks=[sends_to_the_told_only])
def refuses_a_host_that_has_left(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, why: Reason
) -> Step:
    """NCM still tells a host that was deregistered why its request is refused."""
    return refuse.but(without=[~removed(host)])


@variant(replaces=greet, breaks=[sends_to_the_told_only])
def greets_a_host_that_has_left(host: Host, epoch: Epoch) -> Step:
    """A host that was deregistered is greeted when it starts again, and is sent the pods that are recorded there."""
    return greet.but(without=[~removed(host)])


@variant(replaces=grant, breaks=[answers_the_asker, grants_by_the_record])
def answers_about_the_source(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """NCM takes the wrong field of the request: it grants the source instead of the destination."""
    return grant.but(without=[granted], then=[granted.send(host, epoch, asked_by, source, recorded(source))])


@variant(replaces=refuse, breaks=[answers_the_asker, refuses_for_a_true_reason])
def refuses_every_host(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, why: Reason) -> Step:
    """A refusal goes to every host that may not ask either, although only one has asked."""
    return refuse.but(
        without=[refused],
        then=[
            for_each(
                Host,
                lambda other: refused.send(other, epoch, asked_by, why_not(other, source, destination)).when(
                    (epoch == greeted(other)) & ~answerable(other, source, destination)
                ),
            )
        ],
    )


@variant(replaces=refuse, breaks=[answers_the_asker])
def explains_to_any_tenant(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, why: Reason, own: Pod
) -> Step:
    """NCM explains a refusal to any host with a pod in the VPC of the source, as if that pod had sent the packet."""
    return refuse.but(
        without=[why == why_not(host, source, destination)],
        when=[same_vpc(own, source), why == why_not(host, own, destination)],
    )


@variant(replaces=refuse, breaks=[answers_the_asker])
def says_unknown_of_another_vpc(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, why: Reason
) -> Step:
    """A pod of another VPC is refused as if NCM had no record of it."""
    reason = why_not(host, source, destination)
    return refuse.but(without=[why == reason], when=[why == choose(reason == Reason.other_vpc, Reason.unknown, reason)])


@variant(replaces=refuse, breaks=[answers_the_asker])
def says_other_vpc_of_the_unknown(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, why: Reason
) -> Step:
    """A pod without a record is refused as if it were in another VPC."""
    reason = why_not(host, source, destination)
    return refuse.but(without=[why == reason], when=[why == choose(reason == Reason.unknown, Reason.other_vpc, reason)])


@variant(replaces=greet_by_request, breaks=[grants_by_the_record, refuses_for_a_true_reason])
def answers_without_greeting(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod) -> Step:
    """A request of an epoch that NCM has not met is answered, and does not greet."""
    may = answerable(host, source, destination)
    return greet_by_request.but(
        without=[greeted, told, pending, must, route],
        then=[
            told.add(host, destination).when(may),
            granted.send(host, epoch, asked_by, destination, recorded(destination)).when(may),
            refused.send(host, epoch, asked_by, why_not(host, source, destination)).when(~may),
        ],
    )


@variant(replaces=time_out, breaks=[acts_once])
def times_out_what_is_not_held(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Step:
    """The timer of a request is not stopped: a packet that is not held is dropped."""
    return time_out.but(without=[waiting(host, asked_by, source, destination)])


@variant(replaces=time_out, breaks=[acts_once])
def loses_a_held_packet(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Step:
    """A request is forgotten when it times out, and its packet is neither sent nor dropped."""
    return time_out.but(without=[dropped(host, asked_by, source, destination)])


@variant(replaces=resume, breaks=[acts_once])
def holds_again_after_a_pause(host: Host, source: Pod, destination: Pod, asked_by: Request) -> Step:
    """A packet that was refused is held again when the pause ends, under a request that was answered."""
    return resume.but(when=[used(host, asked_by)], then=[waiting.add(host, asked_by, source, destination)])


@variant(replaces=release, breaks=[acts_once])
def releases_and_drops(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """A packet that is sent is reported as dropped too."""
    return release.but(emits=[dropped(host, asked_by, source, destination)])


@variant(replaces=release, breaks=[releases_only_to_a_place])
def releases_without_a_route(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """A held packet is sent before its route is installed."""
    return release.but(without=[installed])


@variant(replaces=deliver, breaks=[releases_only_to_a_place])
def delivers_for_another(host: Host, source: Pod, destination: Pod) -> Step:
    """An agent sends a packet whose source is not at its host."""
    return deliver.but(without=[local(host, source)])


@variant(replaces=drop, breaks=[releases_only_to_a_place])
def delivers_to_another_vpc(host: Host, source: Pod, destination: Pod) -> Step:
    """A packet to a pod of another VPC is not dropped if the agent can send to that pod."""
    return drop.but(
        without=[same_vpc(source, destination), ~usable(host, destination), paused(host, source, destination)],
        when=[~same_vpc(source, destination), usable(host, destination)],
        emits=[delivered(host, source, destination)],
    )


@variant(replaces=ask, breaks=[releases_only_to_a_place])
def asks_in_its_own_name(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Step:
    """An agent that does not know a pod asks for it in the name of that same pod."""
    return ask.but(
        without=[local(host, source), source != destination],
        when=[source == destination],
    )


@variant(replaces=complete, breaks=[versions_are_immutable])
def forgets_what_is_complete(pod: Pod, version: Version, result: Change) -> Step:
    """DPM forgets where a version placed the pod once it has the outcome, unless it is the newest one."""
    return complete.but(
        then=[for_each(Host, lambda host: at.remove(pod, version, host).when(version < latest(pod)))],
    )


@variant(replaces=place, breaks=[versions_are_immutable])
def fills_in_the_version_before(pod: Pod, host: Host) -> Step:
    """A pod that is created again is recorded as placed in the version that removed it, too."""
    return place.but(
        then=[at.add(pod, latest(pod), host).when((Version.of(0) < latest(pod)) & ~placed(pod, latest(pod)))]
    )


@variant(replaces=place, breaks=[dpm_hears_what_happened])
def issues_without_sending(pod: Pod, host: Host) -> Step:
    """DPM issues a version, and NCM does not hear of it."""
    return place.but(without=[config])


@variant(replaces=report_done, breaks=[dpm_hears_what_happened])
def ends_without_reporting(pod: Pod, version: Version) -> Step:
    """A version is done, and DPM does not hear of it."""
    return report_done.but(without=[report])


@variant(replaces=store, breaks=[waits_for_all_concerned])
def waits_for_the_told_only(pod: Pod, version: Version) -> Step:
    """A version is done once the hosts that were told before have confirmed it, whether or not its new home has."""
    return store.but(
        without=[pending, must],
        then=[
            for_each(Host, lambda host: pending.add(pod, version, host).when(told(host, pod) & ~removed(host))),
            for_each(
                Host, lambda host: must.add(pod, version, host, greeted(host)).when(told(host, pod) & ~removed(host))
            ),
        ],
    )


@variant(replaces=report_failed, breaks=[failed_means_waited])
def says_superseded_of_the_failed(pod: Pod, version: Version) -> Step:
    """A version that is not confirmed in time is reported as superseded, although there is no newer one."""
    return report_failed.but(
        without=[change, report],
        then=[change.assign(pod, version, to=Change.superseded), report.send(pod, version, Change.superseded)],
    )


@variant(replaces=learn, breaks=[applied_means_confirmed])
def confirms_no_failed_version(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """An agent does not confirm a version that has failed, and so not the older ones either that NCM waits for."""
    return learn.but(
        without=[applied],
        then=[applied.send(host, epoch, pod, version).when(change(pod, version) != Change.failed)],
    )


@variant(replaces=restart, breaks=[applied_means_confirmed])
def restarts_in_silence(host: Host) -> Step:
    """An agent that starts sends no hello."""
    return restart.but(without=[hello])
