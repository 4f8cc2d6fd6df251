"""Invariants that promise nothing by themselves: with them, every promise is inductive.

They come in the order of the messages' way: from DPM to NCM, from NCM to the agents, and back.
"""

from __future__ import annotations

from model.language import lemma
from model.language.terms import Formula, exists, implies, same
from spec.on_demand.definitions import home, same_vpc
from spec.on_demand.vocabulary import (
    Change,
    Epoch,
    Host,
    Pod,
    Reason,
    Request,
    Version,
    Vpc,
    applied,
    asked,
    at,
    change,
    config,
    correct,
    epoch,
    granted,
    greeted,
    hello,
    housed,
    installed,
    known,
    latest,
    member,
    must,
    outcome,
    pending,
    recorded,
    refused,
    removed,
    report,
    request,
    route,
    told,
    used,
    vpc_of,
    waiting,
)

_epoch_of = epoch  # under another name, since lemmas have a parameter called epoch
NEVER = Epoch.of(0)
NO_VERSION = Version.of(0)


@lemma
def only_issued_versions_have_a_place(pod: Pod, version: Version, host: Host) -> Formula:
    """A version with a place was issued."""
    return implies(at(pod, version, host), (version > NO_VERSION) & (version <= latest(pod)))


@lemma
def one_place_at_a_time(pod: Pod, version: Version, host: Host, other: Host) -> Formula:
    """A version names one host at most."""
    return implies(at(pod, version, host) & at(pod, version, other), host == other)


@lemma
def only_issued_versions_are_sent(pod: Pod, version: Version) -> Formula:
    """DPM sends only what it issued."""
    return implies(config(pod, version), (version > NO_VERSION) & (version <= latest(pod)))


@lemma
def issued_versions_have_an_outcome(pod: Pod, version: Version) -> Formula:
    """DPM keeps an outcome of just the versions that it issued."""
    return same(outcome(pod, version) != Change.none, (version > NO_VERSION) & (version <= latest(pod)))


@lemma
def ncm_deals_with_issued_versions(pod: Pod, version: Version) -> Formula:
    """NCM keeps track of versions up to the recorded one only."""
    return implies(change(pod, version) != Change.none, (version > NO_VERSION) & (version <= recorded(pod)))


@lemma
def the_recorded_version_was_stored(pod: Pod) -> Formula:
    """NCM keeps track of the version that it has recorded, and of no version as superseded that it stored."""
    stored = (change(pod, recorded(pod)) != Change.none) & (change(pod, recorded(pod)) != Change.superseded)
    return implies(NO_VERSION < recorded(pod), stored)


@lemma
def reports_are_true(pod: Pod, version: Version, result: Change) -> Formula:
    """A report says what NCM decided, and NCM decides once."""
    decided = (result != Change.none) & (result != Change.pending)
    return implies(report(pod, version, result), (change(pod, version) == result) & decided)


@lemma
def pending_hosts_are_told(pod: Pod, version: Version, host: Host) -> Formula:
    """A host has to confirm only what is under way and what it is told of."""
    return implies(pending(pod, version, host), (change(pod, version) == Change.pending) & told(host, pod))


@lemma
def the_told_are_registered(host: Host, pod: Pod) -> Formula:
    """A removed host is told nothing, and nobody is told of a pod without a record."""
    return implies(told(host, pod), ~removed(host) & (recorded(pod) > NO_VERSION))


@lemma
def the_home_is_told(host: Host, pod: Pod) -> Formula:
    """The home of a pod is told of it, and remembered."""
    return implies(home(host, pod), housed(host, pod) & (told(host, pod) | removed(host)))


@lemma
def homes_are_members(host: Host, pod: Pod) -> Formula:
    """A host that houses or housed a pod is a member of its VPC."""
    return implies(housed(host, pod), member(host, vpc_of(pod)))


@lemma
def members_housed(host: Host, vpc: Vpc) -> Formula:
    """A member of a VPC houses or housed a pod of it."""
    return implies(member(host, vpc), exists(Pod, lambda pod: (vpc_of(pod) == vpc) & housed(host, pod)))


@lemma
def the_told_asked_or_housed(host: Host, pod: Pod) -> Formula:
    """NCM tells a host of a pod only if it asked for it in this epoch or houses or housed it, and only in its VPC."""
    return implies(told(host, pod), (housed(host, pod) | asked(host, greeted(host), pod)) & member(host, vpc_of(pod)))


@lemma
def agents_are_ahead_of_their_greeting(host: Host, epoch: Epoch) -> Formula:
    """NCM has met no epoch of a correct agent that has not begun."""
    return implies(
        correct(host), (greeted(host) <= _epoch_of(host)) & implies(hello(host, epoch), epoch <= _epoch_of(host))
    )


@lemma
def only_correct_agents_start(host: Host) -> Formula:
    """What a Byzantine agent does between its messages is not part of the state."""
    return implies(~correct(host), epoch(host) == NEVER)


@lemma
def requests_are_of_begun_epochs(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """A request is remembered as asked; a correct agent's names an epoch that has begun, and a taken id."""
    return implies(
        request(host, epoch, asked_by, source, destination),
        (epoch > NEVER)
        & asked(host, epoch, destination)
        & implies(correct(host), (epoch <= _epoch_of(host)) & used(host, asked_by)),
    )


@lemma
def asked_means_requested(host: Host, epoch: Epoch, destination: Pod) -> Formula:
    """What a host asked for in an epoch stands in a request of that epoch."""
    return implies(
        asked(host, epoch, destination),
        exists(Request, Pod, lambda asked_by, source: request(host, epoch, asked_by, source, destination)),
    )


@lemma
def routes_are_of_met_epochs(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Formula:
    """NCM sends recorded versions, to epochs that it has met, of pods that the host is told of."""
    return implies(
        route(host, epoch, pod, version),
        (epoch > NEVER)
        & (epoch <= greeted(host))
        & (version > NO_VERSION)
        & (version <= recorded(pod))
        & member(host, vpc_of(pod))
        & (asked(host, epoch, pod) | housed(host, pod))
        & implies(epoch == greeted(host), told(host, pod) | removed(host)),
    )


@lemma
def grants_are_of_met_epochs(host: Host, epoch: Epoch, asked_by: Request, pod: Pod, version: Version) -> Formula:
    """NCM grants recorded versions, to epochs that it has met, of pods that the host is then told of."""
    return implies(
        granted(host, epoch, asked_by, pod, version),
        (epoch > NEVER)
        & (epoch <= greeted(host))
        & (version > NO_VERSION)
        & (version <= recorded(pod))
        & member(host, vpc_of(pod))
        & asked(host, epoch, pod)
        & implies(correct(host), used(host, asked_by))
        & implies(epoch == greeted(host), told(host, pod) | removed(host)),
    )


@lemma
def refusals_are_of_met_epochs(host: Host, epoch: Epoch, asked_by: Request, why: Reason) -> Formula:
    """NCM refuses requests of epochs that it has met, and of taken ids."""
    return implies(
        refused(host, epoch, asked_by, why),
        (epoch > NEVER) & (epoch <= greeted(host)) & implies(correct(host), used(host, asked_by)),
    )


@lemma
def who_knows_is_told(host: Host, pod: Pod) -> Formula:
    """What a correct agent knows NCM has recorded; NCM has met its epoch, and told it."""
    return implies(
        correct(host) & (known(host, pod) > NO_VERSION),
        (known(host, pod) <= recorded(pod))
        & (epoch(host) > NEVER)
        & (epoch(host) == greeted(host))
        & (told(host, pod) | removed(host))
        & member(host, vpc_of(pod)),
    )


@lemma
def what_is_installed_is_known(host: Host, pod: Pod) -> Formula:
    """An installed route has a version."""
    return implies(correct(host) & installed(host, pod), known(host, pod) > NO_VERSION)


@lemma
def held_packets_have_a_request(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """A held packet has a request of this epoch on its way, an id that is taken, and stays in its VPC."""
    return implies(
        waiting(host, asked_by, source, destination),
        correct(host)
        & used(host, asked_by)
        & same_vpc(source, destination)
        & request(host, _epoch_of(host), asked_by, source, destination),
    )


@lemma
def one_question_a_request(
    host: Host,
    epoch: Epoch,
    later: Epoch,
    asked_by: Request,
    source: Pod,
    destination: Pod,
    other_source: Pod,
    other_destination: Pod,
) -> Formula:
    """A correct agent's request id stands for one question."""
    return implies(
        correct(host)
        & request(host, epoch, asked_by, source, destination)
        & request(host, later, asked_by, other_source, other_destination),
        (epoch == later) & (source == other_source) & (destination == other_destination),
    )


@lemma
def confirmations_are_true(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Formula:
    """What a correct agent has confirmed in this epoch, it knows."""
    return implies(
        correct(host) & applied(host, epoch, pod, version),
        (version > NO_VERSION)
        & (epoch <= _epoch_of(host))
        & implies(epoch == _epoch_of(host), version <= known(host, pod)),
    )


@lemma
def who_is_waited_for_must_confirm(pod: Pod, version: Version, host: Host) -> Formula:
    """Whom NCM waits for was to confirm the version in the epoch that NCM has met."""
    return implies(pending(pod, version, host), must(pod, version, host, greeted(host)))


@lemma
def due_until_confirmed(pod: Pod, version: Version, host: Host, epoch: Epoch) -> Formula:
    """Who must confirm is waited for until it knows the version, restarts or leaves, or the change fails."""
    must_confirm = must(pod, version, host, epoch)
    over = (change(pod, version) == Change.failed) | removed(host)
    return implies(
        must_confirm,
        (epoch <= greeted(host))
        & (change(pod, version) != Change.none)
        & (change(pod, version) != Change.superseded)
        & implies(
            correct(host) & (_epoch_of(host) == epoch) & (epoch > NEVER),
            pending(pod, version, host) | (version <= known(host, pod)) | over,
        ),
    )
