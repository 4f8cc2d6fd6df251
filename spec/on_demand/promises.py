"""The promises of the protocol.

Promises about messages cover messages that were sent and are unspent, so discarding spent messages cannot change a verdict.
Promises about what an agent knows or does cover correct agents only; promises about what NCM sends and stores cover all hosts.
"""

from __future__ import annotations

from model.language import always, sometimes, two_state
from model.language.quantifiers import exists
from model.language.terms import Formula, implies, same
from spec.on_demand.definitions import answerable, coming, home, local, placed, same_vpc, usable, why_not
from spec.on_demand.vocabulary import (
    Change,
    Epoch,
    Host,
    Pod,
    Reason,
    Request,
    Version,
    applied,
    asked,
    at,
    change,
    config,
    correct,
    delivered,
    dropped,
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
    released,
    removed,
    report,
    request,
    route,
    told,
    used,
    vpc_of,
    waiting,
)

_epoch_of = epoch  # an alias, since promises have a parameter called epoch
NEVER = Epoch.of(0)
NO_VERSION = Version.of(0)

# ------------------------------------------------------------------------------------------ who learns what


@sometimes
def a_remote_pod_is_learned(host: Host, pod: Pod) -> Formula:
    """An agent knows a pod that was never at its host."""
    return (known(host, pod) > NO_VERSION) & ~housed(host, pod)


@always(a_remote_pod_is_learned)
def learns_only_on_demand(host: Host, epoch: Epoch, asked_by: Request, pod: Pod, version: Version) -> Formula:
    """A host is sent a pod, or knows it, only if it asked for it in this epoch, or is or was the pod's home.

    The first part covers all hosts; the second covers correct ones, since a Byzantine agent may know anything.
    """
    said = route.unspent(host, epoch, pod, version) | granted.unspent(host, epoch, asked_by, pod, version)
    sent = implies(said, asked(host, epoch, pod) | housed(host, pod))
    knows = implies(
        correct(host) & (known(host, pod) > NO_VERSION), asked(host, _epoch_of(host), pod) | housed(host, pod)
    )
    return sent & knows


@sometimes
def another_vpc_is_refused(host: Host, epoch: Epoch, asked_by: Request) -> Formula:
    """A request across VPCs was refused."""
    return refused.unspent(host, epoch, asked_by, Reason.other_vpc)


@always(another_vpc_is_refused)
def stays_in_its_vpc(host: Host, epoch: Epoch, asked_by: Request, pod: Pod, version: Version) -> Formula:
    """A host is sent a pod only if it houses, or has housed, a pod of the same VPC."""
    sent = route.unspent(host, epoch, pod, version) | granted.unspent(host, epoch, asked_by, pod, version)
    return implies(sent, member(host, vpc_of(pod)))


@sometimes
def a_host_has_no_pod_left(host: Host, pod: Pod) -> Formula:
    """A host was told of a pod, and its last pod of that VPC has moved away or was removed."""
    there = exists(Pod, lambda own: home(host, own) & same_vpc(own, pod))
    return told(host, pod) & ~there


@two_state(a_host_has_no_pod_left)
def starts_telling_tenants_only(host: Host, pod: Pod) -> Formula:
    """NCM starts telling a host of a pod only while its record places a pod of the same VPC there: not once the last has left."""
    begins = told.after(host, pod) & ~told(host, pod)
    tenant = exists(Pod, lambda own: at(own, recorded.after(own), host) & same_vpc(own, pod))
    return implies(begins, tenant)


@sometimes
def a_host_that_has_left_asks(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """A request is in flight, of a host that has left."""
    return removed(host) & request.unspent(host, greeted(host), asked_by, source, destination)


@two_state(a_host_that_has_left_asks)
def sends_to_the_told_only(
    host: Host, epoch: Epoch, asked_by: Request, pod: Pod, version: Version, why: Reason
) -> Formula:
    """NCM sends a version of a pod only to a host that it counts as told of the pod, and sends nothing to one that has left."""
    granting = granted.begins(host, epoch, asked_by, pod, version)
    telling = granting | route.begins(host, epoch, pod, version)
    said = telling | refused.begins(host, epoch, asked_by, why)
    return implies(telling, told.after(host, pod)) & implies(said, ~removed.after(host))


@sometimes
def the_newest_is_known(host: Host, pod: Pod) -> Formula:
    """An agent knows the newest version of a pod that has at least two versions."""
    return (known(host, pod) == latest(pod)) & (Version.of(1) < latest(pod))


@always(the_newest_is_known)
def invents_nothing(host: Host, pod: Pod) -> Formula:
    """NCM records no version that DPM did not issue, and a correct agent knows none."""
    return (recorded(pod) <= latest(pod)) & implies(correct(host), known(host, pod) <= latest(pod))


# ----------------------------------------------------------------------------------------------- newer wins


@sometimes
def a_late_version_is_superseded(pod: Pod, version: Version) -> Formula:
    """DPM learns that a version was superseded."""
    return outcome(pod, version) == Change.superseded


@two_state(a_late_version_is_superseded)
def newer_wins(host: Host, pod: Pod) -> Formula:
    """The version that NCM has recorded never decreases, and the one that a correct agent knows never decreases within an epoch."""
    same_epoch = correct(host) & (epoch.after(host) == epoch(host))
    return (recorded(pod) <= recorded.after(pod)) & implies(same_epoch, known(host, pod) <= known.after(host, pod))


@sometimes
def a_pod_comes_back(pod: Pod, before: Version, gone: Version, again: Version) -> Formula:
    """A removed pod was created again."""
    order = (before < gone) & (gone < again) & (again <= latest(pod))
    return order & placed(pod, before) & ~placed(pod, gone) & placed(pod, again)


@two_state(a_pod_comes_back)
def versions_are_immutable(pod: Pod, version: Version, host: Host) -> Formula:
    """The content of a version never changes once DPM has issued it."""
    return implies(
        version <= latest(pod),
        implies(at(pod, version, host), at.after(pod, version, host))
        & implies(at.after(pod, version, host), at(pod, version, host)),
    )


# -------------------------------------------------------------------------------------------------- updates


@sometimes
def a_home_is_told(host: Host, pod: Pod) -> Formula:
    """An agent knows that a pod is at its host."""
    return local(host, pod)


@always(a_home_is_told)
def the_home_is_told(host: Host, pod: Pod) -> Formula:
    """NCM tells a host of every pod that its record places there, unless the host has left."""
    return implies(home(host, pod) & ~removed(host), told(host, pod))


@two_state(a_host_has_no_pod_left)
def remembers_whom_it_told(host: Host, pod: Pod) -> Formula:
    """NCM forgets that it told a host of a pod only when the host begins a new epoch or leaves."""
    forgets = told(host, pod) & ~told.after(host, pod)
    return implies(forgets, (greeted(host) < greeted.after(host)) | removed.after(host))


@sometimes
def a_told_host_hears_of_a_change(host: Host, pod: Pod) -> Formula:
    """An agent with a route to a remote pod learns a newer version of it, which it did not ask for."""
    newer = placed(pod, known(host, pod)) & (known(host, pod) < known.after(host, pod))
    return installed(host, pod) & ~housed(host, pod) & newer


@always(a_told_host_hears_of_a_change)
def whoever_was_told_is_told_the_newest(host: Host, pod: Pod) -> Formula:
    """If NCM counts a host as told of a pod, the recorded version is in flight to it, or it knows that version, or has restarted.

    NCM has met the host. `remembers_whom_it_told` says when a host no longer counts as told.
    """
    arrived = correct(host) & ((greeted(host) < epoch(host)) | (recorded(pod) <= known(host, pod)))
    return implies(told(host, pod) & (greeted(host) > NEVER), coming(host, pod) | arrived)


@sometimes
def an_agent_is_behind(host: Host, pod: Pod) -> Formula:
    """A correct agent knows an older version than NCM."""
    return correct(host) & (known(host, pod) > NO_VERSION) & (known(host, pod) < recorded(pod))


@always(an_agent_is_behind)
def stale_means_coming(host: Host, pod: Pod) -> Formula:
    """If a correct agent knows an older version than NCM, the newer one is in flight to its current epoch, unless it has left."""
    stale = correct(host) & (known(host, pod) > NO_VERSION) & (known(host, pod) < recorded(pod))
    return implies(stale & ~removed(host), coming(host, pod) & (epoch(host) == greeted(host)))


# -------------------------------------------------------------------------------------------------- answers


@sometimes
def a_gone_pod_is_refused(host: Host, epoch: Epoch, asked_by: Request) -> Formula:
    """A request for a removed pod was refused."""
    return refused.unspent(host, epoch, asked_by, Reason.gone)


@sometimes
def an_unknown_pod_is_refused(host: Host, epoch: Epoch, asked_by: Request) -> Formula:
    """A request for a pod without a record was refused."""
    return refused.unspent(host, epoch, asked_by, Reason.unknown)


@always(a_gone_pod_is_refused, an_unknown_pod_is_refused)
def grants_only_what_is_placed(host: Host, epoch: Epoch, asked_by: Request, pod: Pod, version: Version) -> Formula:
    """Every granted version places its pod: an unknown or removed pod is never granted."""
    return implies(granted.unspent(host, epoch, asked_by, pod, version), placed(pod, version))


@sometimes
def a_stranger_is_refused(host: Host, epoch: Epoch, asked_by: Request) -> Formula:
    """A request on behalf of a source at another host was refused."""
    return refused.unspent(host, epoch, asked_by, Reason.not_your_source)


@always(a_stranger_is_refused)
def answers_the_asker(host: Host, epoch: Epoch, asked_by: Request, pod: Pod, version: Version, why: Reason) -> Formula:
    """Every answer has a request of the same host, epoch and id; a grant also requires that the source is or was at that host.

    While the answer is in flight the source may move. `grants_by_the_record` and `refuses_for_a_true_reason` say what NCM's record
    says when it answers. A refusal reveals something about the destination only to a host that houses or housed the source.
    """
    yes = implies(
        granted.unspent(host, epoch, asked_by, pod, version),
        exists(Pod, lambda source: request(host, epoch, asked_by, source, pod) & housed(host, source)),
    )
    no = implies(
        refused.unspent(host, epoch, asked_by, why),
        exists(Pod, Pod, lambda source, destination: request(host, epoch, asked_by, source, destination)),
    )
    to_its_own = implies(
        refused.unspent(host, epoch, asked_by, why) & (why != Reason.not_your_source),
        exists(
            Pod,
            Pod,
            lambda source, destination: (
                request(host, epoch, asked_by, source, destination)
                & housed(host, source)
                & same(same_vpc(source, destination), why != Reason.other_vpc)
            ),
        ),
    )
    return yes & no & to_its_own


@sometimes
def a_grant_is_outdated(host: Host, epoch: Epoch, asked_by: Request, pod: Pod, version: Version) -> Formula:
    """A grant is in flight, and NCM has recorded a newer version since."""
    return granted.unspent(host, epoch, asked_by, pod, version) & (version < recorded(pod))


@two_state(a_grant_is_outdated)
def grants_by_the_record(host: Host, epoch: Epoch, asked_by: Request, pod: Pod, version: Version) -> Formula:
    """When NCM grants a request, its record says that the source is at the asking host, and the version is the recorded one.

    The request is of an epoch that NCM has met, and for a pod that has a place, in the source's VPC.
    """

    def asks(source: Pod) -> Formula:
        return request(host, epoch, asked_by, source, pod) & answerable(host, source, pod)

    # A grant of an epoch before the one that NCM has met is spent at once, so none is sent now.
    may = (epoch <= greeted(host)) & (version == recorded(pod)) & exists(Pod, asks)
    return implies(granted.begins(host, epoch, asked_by, pod, version), may)


@two_state(another_vpc_is_refused, a_gone_pod_is_refused, an_unknown_pod_is_refused, a_stranger_is_refused)
def refuses_for_a_true_reason(host: Host, epoch: Epoch, asked_by: Request, why: Reason) -> Formula:
    """When NCM refuses a request, it may not grant it, and the reason is true: what is placed is never refused to who may ask.

    So an unknown pod is one without a record, and a gone one is one that the record says was removed.
    """

    def asks(source: Pod, destination: Pod) -> Formula:
        denied = ~answerable(host, source, destination) & (why == why_not(host, source, destination))
        return request(host, epoch, asked_by, source, destination) & denied

    may = (epoch <= greeted(host)) & exists(Pod, Pod, asks)
    return implies(refused.begins(host, epoch, asked_by, why), may)


# -------------------------------------------------------------------------------------------------- packets


@sometimes
def a_packet_is_released(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """A held packet was released."""
    return released(host, asked_by, source, destination)


@sometimes
def a_packet_is_dropped(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """A held packet was dropped."""
    return dropped(host, asked_by, source, destination)


@two_state(a_packet_is_released, a_packet_is_dropped)
def acts_once(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """A held packet is released or dropped exactly once: it is held before and not after, and is never held again.

    An agent that restarts drops its held packets without an event.
    """
    went, given_up = released(host, asked_by, source, destination), dropped(host, asked_by, source, destination)
    acted = went | given_up
    held = waiting(host, asked_by, source, destination)
    held_after = waiting.after(host, asked_by, source, destination)
    same_epoch = _epoch_of.after(host) == _epoch_of(host)
    told_of = implies(held & ~held_after & same_epoch, acted) & ~(went & given_up)
    return implies(acted, held & ~held_after) & implies(used(host, asked_by) & ~held, ~held_after) & told_of


@sometimes
def a_packet_is_released_after_a_move(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """A held packet is released to a pod that was at another host before."""
    place = known.after(host, destination)

    def moved(before: Version, here: Host, there: Host) -> Formula:
        return (before < place) & at(destination, before, here) & at(destination, place, there) & (here != there)

    return released(host, asked_by, source, destination) & exists(Version, Host, Host, moved)


@sometimes
def a_packet_is_delivered_to_a_remote_pod(host: Host, source: Pod, destination: Pod) -> Formula:
    """A packet was delivered to a remote pod without being held, over a route learned earlier."""
    return delivered(host, source, destination) & ~local(host, destination)


@two_state(a_packet_is_released_after_a_move, a_packet_is_delivered_to_a_remote_pod)
def releases_only_to_a_place(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Formula:
    """A packet is sent only for a local source, and only to a local pod or over an installed route, to a place that the agent
    knows, in the source's VPC.

    Of a packet that is held the source was local when it was held: it may move before the answer arrives.
    """
    begins = waiting.after(host, asked_by, source, destination) & ~waiting(host, asked_by, source, destination)
    by_answer = implies(
        released(host, asked_by, source, destination),
        installed.after(host, destination)
        & exists(Host, lambda place: at.after(destination, known.after(host, destination), place))
        & same_vpc(source, destination),
    )
    straight = implies(delivered(host, source, destination), usable(host, destination) & same_vpc(source, destination))
    its_own = implies(begins | delivered(host, source, destination), local(host, source))
    return by_answer & straight & its_own


# ---------------------------------------------------------------------------------------------- confirmation


@sometimes
def a_change_is_done(pod: Pod, version: Version) -> Formula:
    """DPM learns that a change is done."""
    return outcome(pod, version) == Change.done


@sometimes
def a_confirmation_counts(pod: Pod, version: Version, host: Host) -> Formula:
    """NCM stops waiting for a host, since it has confirmed the recorded version: it has neither restarted nor left, and the change
    goes on.
    """
    heard = pending(pod, version, host) & ~pending.after(pod, version, host) & (version == recorded(pod))
    under_way = (change.after(pod, version) == Change.pending) & ~removed.after(host)
    return heard & under_way & (greeted.after(host) <= greeted(host))


@sometimes
def a_change_fails(pod: Pod, version: Version) -> Formula:
    """DPM learns that a change failed."""
    return outcome(pod, version) == Change.failed


@always(a_change_is_done, a_change_fails, a_confirmation_counts)
def done_means_applied(pod: Pod, version: Version, host: Host, epoch: Epoch) -> Formula:
    """If a version is done, every correct host that had to confirm it knows it, unless it has restarted or left since."""
    due = must(pod, version, host, epoch) & correct(host) & (_epoch_of(host) == epoch) & ~removed(host)
    return implies((change(pod, version) == Change.done) & due & (epoch > NEVER), version <= known(host, pod))


@two_state(a_confirmation_counts, a_change_is_done)
def waits_for_all_concerned(pod: Pod, version: Version, host: Host) -> Formula:
    """When NCM records a version, it waits for every host that it told of the pod, and for the new home, unless it has left."""
    records = (recorded(pod) < version) & (recorded.after(pod) == version)
    concerned = told(host, pod) | at(pod, version, host)
    return implies(records & concerned & ~removed(host), pending.after(pod, version, host))


@two_state(a_change_fails, a_late_version_is_superseded)
def failed_means_waited(pod: Pod, version: Version) -> Formula:
    """A version fails only while NCM waits for some host to confirm it, and only a newer recorded version supersedes it."""
    fails = (change.after(pod, version) == Change.failed) & (change(pod, version) != Change.failed)
    late = (change.after(pod, version) == Change.superseded) & (change(pod, version) != Change.superseded)
    waits = exists(Host, lambda host: pending(pod, version, host))
    return implies(fails, waits) & implies(late, version < recorded(pod))


@sometimes
def a_host_has_yet_to_be_heard(host: Host, pod: Pod, version: Version) -> Formula:
    """An agent has applied a version, and NCM has not received its confirmation."""
    return pending(pod, version, host) & correct(host) & (known(host, pod) == version)


@always(a_host_has_yet_to_be_heard)
def applied_means_confirmed(pod: Pod, version: Version, host: Host) -> Formula:
    """While NCM waits for an agent that knows the version, its confirmation is in flight; before NCM meets the epoch, its hello."""
    met = _epoch_of(host) == greeted(host)
    confirmed = exists(Version, lambda newer: (version <= newer) & applied.unspent(host, greeted(host), pod, newer))
    waited_for = pending(pod, version, host) & correct(host) & met & (version <= known(host, pod))
    return implies(waited_for, confirmed) & implies(correct(host) & ~met, hello.unspent(host, _epoch_of(host)))


@always(a_late_version_is_superseded)
def dpm_hears_what_happened(pod: Pod, version: Version) -> Formula:
    """DPM's outcome of a version is the one that NCM decided; until DPM has it, the version or its report is in flight."""
    open_ = outcome(pod, version) == Change.pending
    settled = (outcome(pod, version) != Change.none) & ~open_
    decided = (change(pod, version) != Change.none) & (change(pod, version) != Change.pending)
    return (
        implies(settled, outcome(pod, version) == change(pod, version))
        & implies(open_ & (change(pod, version) == Change.none), config.unspent(pod, version))
        & implies(open_ & decided, report.unspent(pod, version, change(pod, version)))
    )
