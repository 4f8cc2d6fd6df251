"""Supporting invariants: they promise nothing themselves, and make every promise inductive.

They follow the path of the messages: from DPM to NCM, from NCM to the agents, and back.
"""

from __future__ import annotations

from model.language import lemma
from model.language.quantifiers import exists
from model.language.terms import Formula, implies, same
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
    paused,
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

_epoch_of = epoch  # an alias, since lemmas have a parameter called epoch
NEVER = Epoch.of(0)
NO_VERSION = Version.of(0)


@lemma
def only_issued_versions_have_a_place(pod: Pod, version: Version, host: Host) -> Formula:
    """Only an issued version places a pod."""
    return implies(at(pod, version, host), (version > NO_VERSION) & (version <= latest(pod)))


@lemma
def one_place_at_a_time(pod: Pod, version: Version, host: Host, other: Host) -> Formula:
    """A version names at most one host."""
    return implies(at(pod, version, host) & at(pod, version, other), host == other)


@lemma
def only_issued_versions_are_sent(pod: Pod, version: Version) -> Formula:
    """DPM sends only versions that it issued."""
    return implies(config(pod, version), (version > NO_VERSION) & (version <= latest(pod)))


@lemma
def issued_versions_have_an_outcome(pod: Pod, version: Version) -> Formula:
    """DPM keeps an outcome for exactly the versions that it issued."""
    return same(outcome(pod, version) != Change.none, (version > NO_VERSION) & (version <= latest(pod)))


@lemma
def ncm_deals_with_issued_versions(pod: Pod, version: Version) -> Formula:
    """NCM keeps the progress of versions up to the recorded one only."""
    return implies(change(pod, version) != Change.none, (version > NO_VERSION) & (version <= recorded(pod)))


@lemma
def the_recorded_version_was_stored(pod: Pod) -> Formula:
    """NCM keeps the progress of the recorded version, and marks no version superseded that it stored."""
    stored = (change(pod, recorded(pod)) != Change.none) & (change(pod, recorded(pod)) != Change.superseded)
    return implies(NO_VERSION < recorded(pod), stored)


@lemma
def reports_are_true(pod: Pod, version: Version, result: Change) -> Formula:
    """A report states the outcome that NCM decided, and NCM decides once."""
    decided = (result != Change.none) & (result != Change.pending)
    return implies(report(pod, version, result), (change(pod, version) == result) & decided)


@lemma
def pending_hosts_are_told(pod: Pod, version: Version, host: Host) -> Formula:
    """NCM waits for a host only for a pending version, and only if it told the host of the pod."""
    return implies(pending(pod, version, host), (change(pod, version) == Change.pending) & told(host, pod))


@lemma
def the_told_are_registered(host: Host, pod: Pod) -> Formula:
    """A removed host is told nothing, and no host is told of a pod without a record."""
    return implies(told(host, pod), ~removed(host) & (recorded(pod) > NO_VERSION))


@lemma
def the_home_is_recorded(host: Host, pod: Pod) -> Formula:
    """The history records the pod's home as a home."""
    return implies(home(host, pod), housed(host, pod))


@lemma
def homes_are_members(host: Host, pod: Pod) -> Formula:
    """A host that houses or housed a pod is a member of the pod's VPC."""
    return implies(housed(host, pod), member(host, vpc_of(pod)))


@lemma
def members_housed(host: Host, vpc: Vpc) -> Formula:
    """A member of a VPC houses or housed one of its pods."""
    return implies(member(host, vpc), exists(Pod, lambda pod: (vpc_of(pod) == vpc) & housed(host, pod)))


@lemma
def the_told_asked_or_housed(host: Host, pod: Pod) -> Formula:
    """NCM tells a host of a pod only if it asked in this epoch or houses or housed the pod, and only within its VPC."""
    return implies(told(host, pod), (housed(host, pod) | asked(host, greeted(host), pod)) & member(host, vpc_of(pod)))


@lemma
def agents_are_ahead_of_their_greeting(host: Host, epoch: Epoch) -> Formula:
    """NCM has met no epoch of a correct agent that has not begun."""
    return implies(
        correct(host), (greeted(host) <= _epoch_of(host)) & implies(hello(host, epoch), epoch <= _epoch_of(host))
    )


@lemma
def only_correct_agents_start(host: Host, pod: Pod) -> Formula:
    """The state has no entries for Byzantine agents: what they know or do between messages is not modeled."""
    return implies(~correct(host), (epoch(host) == NEVER) & (known(host, pod) == NO_VERSION))


@lemma
def requests_are_of_begun_epochs(host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """The history records every request as asked; a correct agent's request has an epoch that has begun, and a used id."""
    return implies(
        request(host, epoch, asked_by, source, destination),
        (epoch > NEVER)
        & asked(host, epoch, destination)
        & implies(correct(host), (epoch <= _epoch_of(host)) & used(host, asked_by)),
    )


@lemma
def asked_means_requested(host: Host, epoch: Epoch, destination: Pod) -> Formula:
    """For every pod that a host asked for in an epoch, there is a request of that epoch."""
    return implies(
        asked(host, epoch, destination),
        exists(Request, Pod, lambda asked_by, source: request(host, epoch, asked_by, source, destination)),
    )


@lemma
def routes_are_of_met_epochs(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Formula:
    """NCM sends recorded versions only, to met epochs, of pods that it told the host of."""
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
    """NCM grants recorded versions only, to met epochs, of pods that it then told the host of."""
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
    """NCM refuses only requests of met epochs, with used ids."""
    return implies(
        refused(host, epoch, asked_by, why),
        (epoch > NEVER) & (epoch <= greeted(host)) & implies(correct(host), used(host, asked_by)),
    )


@lemma
def who_knows_is_told(host: Host, pod: Pod) -> Formula:
    """NCM has recorded every version that a correct agent knows, has met the agent's epoch, and told it of the pod."""
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
    """The agent knows a version of every pod with an installed route."""
    return implies(correct(host) & installed(host, pod), known(host, pod) > NO_VERSION)


@lemma
def held_packets_have_a_request(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """Every held packet has a request of this epoch in flight and a used id, goes to another pod, and stays in its VPC."""
    return implies(
        waiting(host, asked_by, source, destination),
        correct(host)
        & used(host, asked_by)
        & (source != destination)
        & same_vpc(source, destination)
        & request(host, _epoch_of(host), asked_by, source, destination),
    )


@lemma
def pauses_follow_held_packets(host: Host, source: Pod, destination: Pod) -> Formula:
    """Only correct agents pause, and only for packets that they held."""
    return implies(paused(host, source, destination), correct(host) & (source != destination))


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
    """A correct agent uses a request id for one question."""
    return implies(
        correct(host)
        & request(host, epoch, asked_by, source, destination)
        & request(host, later, asked_by, other_source, other_destination),
        (epoch == later) & (source == other_source) & (destination == other_destination),
    )


@lemma
def confirmations_are_true(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Formula:
    """A correct agent knows every version that it confirmed in this epoch."""
    return implies(
        correct(host) & applied(host, epoch, pod, version),
        (version > NO_VERSION)
        & (epoch <= _epoch_of(host))
        & implies(epoch == _epoch_of(host), version <= known(host, pod)),
    )


@lemma
def who_is_waited_for_must_confirm(pod: Pod, version: Version, host: Host) -> Formula:
    """NCM waits for a host only for versions that the host must confirm in the epoch that NCM has met."""
    return implies(pending(pod, version, host), must(pod, version, host, greeted(host)))


@lemma
def due_until_confirmed(pod: Pod, version: Version, host: Host, epoch: Epoch) -> Formula:
    """NCM waits for a host that must confirm a version until the host knows it, restarts or leaves, or the change fails."""
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
