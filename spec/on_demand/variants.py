"""Deliberate deviations, which show that the checks detect errors.

The first part covers what the original implementation does differently from this protocol. The second part changes one rule each.
The third part breaks no safety promise: each variant leaves something undone, so that a wait never ends. A variant states only its
difference from the action that it replaces; the rest of the action is unchanged.
"""

from __future__ import annotations

from model.language import Deviation, Step, for_each, variant
from model.language.quantifiers import exists, forall
from model.language.terms import choose
from spec.on_demand.aca import ask, deliver, drop_as_gone, evict, learn, release, restart, resume, time_out
from spec.on_demand.definitions import answerable, home, local, newest, placed, same_vpc, usable, why_not
from spec.on_demand.dpm import complete, place
from spec.on_demand.liveness import (
    agents_are_met,
    dpm_hears_of_every_version,
    held_packets_go_or_are_dropped,
    pauses_end,
    requests_are_answered,
    what_all_confirm_is_done,
    whoever_is_waited_for_confirms,
    whoever_was_told_learns_the_newest,
)
from spec.on_demand.ncm import NEVER, acknowledge, grant, greet, refuse, report_done, report_failed, store
from spec.on_demand.promises import (
    acts_once,
    answers_the_asker,
    applied_means_confirmed,
    done_means_applied,
    dpm_hears_what_happened,
    failed_means_waited,
    grants_by_the_record,
    grants_only_what_is_placed,
    invents_nothing,
    learns_only_on_demand,
    newer_wins,
    refuses_for_a_true_reason,
    releases_only_to_a_place,
    remembers_whom_it_told,
    sends_to_the_told_only,
    stale_means_coming,
    starts_telling_tenants_only,
    stays_in_its_vpc,
    the_home_is_told,
    versions_are_immutable,
    waits_for_all_concerned,
    whoever_was_told_is_told_the_newest,
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
    dropped,
    epoch,
    granted,
    greeted,
    installed,
    known,
    latest,
    must,
    outcome,
    pending,
    recorded,
    refused,
    released,
    removed,
    route,
    told,
    waiting,
)

_epoch_of = epoch  # an alias, since actions have a parameter called epoch

# ------------------------------------------------------------------------------------------------------ as built


@variant(replaces=grant, breaks=[answers_the_asker, learns_only_on_demand], kind=Deviation.AS_BUILT)
def answers_another_host(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version, other: Host
) -> Step:
    """Of two hosts that ask at the same time, either may receive the other's answer."""
    return grant.but(without=[granted], then=[granted.send(other, epoch, asked_by, destination, version)])


@variant(replaces=grant, breaks=[grants_only_what_is_placed], kind=Deviation.AS_BUILT)
def grants_the_unknown(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """A request for a destination that has no record or was removed is granted."""
    return grant.but(without=[placed(destination, recorded(destination))])


@variant(
    replaces=grant,
    breaks=[answers_the_asker, grants_by_the_record, starts_telling_tenants_only],
    kind=Deviation.AS_BUILT,
)
def answers_in_anothers_name(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """NCM does not check that the source is at the asking host."""
    return grant.but(without=[home(host, source)])


@variant(replaces=grant, breaks=[stays_in_its_vpc], kind=Deviation.AS_BUILT)
def leaks_to_another_tenant(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """NCM does not check that source and destination are in the same VPC."""
    return grant.but(without=[same_vpc(source, destination)])


@variant(replaces=grant, breaks=[whoever_was_told_is_told_the_newest], kind=Deviation.AS_BUILT)
def serves_the_deleted(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """An address resolves to any version that NCM ever stored: that of a removed pod, or the one before a reuse."""
    state = change(destination, version)
    return grant.but(
        without=[placed(destination, recorded(destination)), version == recorded(destination)],
        when=[placed(destination, version), (state != Change.none) & (state != Change.superseded)],
    )


@variant(replaces=store, breaks=[newer_wins], kind=Deviation.AS_BUILT)
def older_overwrites_newer(pod: Pod, version: Version) -> Step:
    """The last write wins, whatever its version."""
    return store.but(without=[recorded(pod) < version], when=[change(pod, version) == Change.none])


@variant(replaces=grant, breaks=[stale_means_coming], kind=Deviation.AS_BUILT)
def forgets_whom_it_told(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """NCM does not record that the host was told, so a host that asked never receives a change."""
    return grant.but(without=[told])


@variant(replaces=greet, breaks=[whoever_was_told_is_told_the_newest], kind=Deviation.AS_BUILT)
def ignores_a_restart(host: Host, epoch: Epoch) -> Step:
    """NCM meets a restarted agent but resends nothing: what it told the agent before counts as known."""
    return greet.but(without=[told, pending, must, route])


@variant(replaces=store, breaks=[learns_only_on_demand], kind=Deviation.AS_BUILT)
def pushes_to_all(pod: Pod, version: Version) -> Step:
    """NCM sends every pod to every host."""
    return store.but(
        without=[route],
        then=[
            for_each(
                Host,
                lambda host: route.send(host, greeted(host), pod, version).when(
                    ~removed(host) & (greeted(host) > NEVER)
                ),
            )
        ],
    )


@variant(replaces=report_done, breaks=[done_means_applied], kind=Deviation.AS_BUILT)
def reports_without_waiting(pod: Pod, version: Version) -> Step:
    """NCM reports success without waiting for confirmations."""
    return report_done.but(without=[forall(Host, lambda host: ~pending(pod, version, host))])


# ------------------------------------------------------------------------------------------------------- mutants


@variant(replaces=store, breaks=[the_home_is_told])
def tells_the_home_nothing(pod: Pod, version: Version) -> Step:
    """NCM does not count the host of a pod as told of it."""
    return store.but(without=[told])


@variant(replaces=acknowledge, breaks=[remembers_whom_it_told])
def forgets_who_has_confirmed(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """A host that has confirmed a version no longer counts as told of the pod."""
    return acknowledge.but(then=[told.remove(host, pod)])


@variant(replaces=store, breaks=[sends_to_the_told_only])
def sends_to_a_home_that_has_left(pod: Pod, version: Version) -> Step:
    """A version is sent to its home even if that host was deregistered."""
    return store.but(
        then=[
            for_each(
                Host,
                lambda host: route.send(host, greeted(host), pod, version).when(
                    at(pod, version, host) & (greeted(host) > NEVER)
                ),
            )
        ]
    )


@variant(replaces=refuse, breaks=[refuses_for_a_true_reason])
def refuses_what_is_placed(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, why: Reason
) -> Step:
    """NCM refuses a request that it may grant."""
    return refuse.but(without=[~answerable(host, source, destination)])


@variant(replaces=refuse, breaks=[refuses_for_a_true_reason])
def says_unknown_of_the_gone(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, why: Reason
) -> Step:
    """A removed pod is refused as if NCM had no record of it."""
    reason = why_not(host, source, destination)
    return refuse.but(without=[why == reason], when=[why == choose(reason == Reason.gone, Reason.unknown, reason)])


@variant(replaces=store, breaks=[waits_for_all_concerned])
def waits_for_the_home_only(pod: Pod, version: Version) -> Step:
    """A version is done once its new home has confirmed it, whoever else was told of the pod."""
    return store.but(
        without=[pending, must],
        then=[
            for_each(Host, lambda host: pending.add(pod, version, host).when(at(pod, version, host) & ~removed(host))),
            for_each(
                Host,
                lambda host: must.add(pod, version, host, greeted(host)).when(at(pod, version, host) & ~removed(host)),
            ),
        ],
    )


@variant(replaces=report_failed, breaks=[failed_means_waited])
def fails_at_once(pod: Pod, version: Version) -> Step:
    """NCM reports a version as failed although no host has yet to confirm it."""
    return report_failed.but(without=[exists(Host, lambda host: pending(pod, version, host))])


@variant(replaces=learn, breaks=[newer_wins])
def learns_the_older(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """An agent takes whichever version arrives last."""
    return learn.but(without=[known(host, pod) < version])


@variant(replaces=evict, breaks=[newer_wins])
def forgets_on_evicting(host: Host, pod: Pod) -> Step:
    """Evicting a route also forgets its version, so that older messages take effect again."""
    return evict.but(then=[known.assign(host, pod, to=Version.of(0))])


@variant(replaces=release, breaks=[newer_wins])
def takes_the_granted_for_the_newest(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """A late answer overwrites a newer version."""
    return release.but(
        without=[placed(destination, newest(host, destination, version)), known],
        then=[known.assign(host, destination, to=version)],
    )


@variant(replaces=learn, breaks=[learns_only_on_demand])
def listens_to_older_epochs(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """An agent accepts messages for its previous epochs, and confirms them in its current one."""
    return learn.but(
        without=[epoch == _epoch_of(host), applied], then=[applied.send(host, _epoch_of(host), pod, version)]
    )


@variant(replaces=drop_as_gone, breaks=[releases_only_to_a_place])
def releases_to_nowhere(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """A granted packet is released although the agent knows that the pod is gone."""
    return drop_as_gone.but(
        without=[dropped(host, asked_by, source, destination)], emits=[released(host, asked_by, source, destination)]
    )


@variant(replaces=acknowledge, breaks=[done_means_applied])
def confirms_for_another(host: Host, epoch: Epoch, pod: Pod, version: Version, other: Host) -> Step:
    """A confirmation counts for any host: NCM trusts the payload instead of the channel."""
    return acknowledge.but(
        without=[exists(Version, lambda older: (older <= version) & pending(pod, older, host)), pending],
        when=[exists(Version, lambda older: (older <= version) & pending(pod, older, other))],
        then=[for_each(Version, lambda older: pending.remove(pod, older, other).when(older <= version))],
    )


@variant(replaces=acknowledge, breaks=[done_means_applied])
def counts_older_for_newer(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """Confirming one version confirms all versions."""
    return acknowledge.but(
        without=[exists(Version, lambda older: (older <= version) & pending(pod, older, host)), pending],
        when=[exists(Version, lambda older: pending(pod, older, host))],
        then=[for_each(Version, lambda older: pending.remove(pod, older, host))],
    )


@variant(replaces=learn, breaks=[done_means_applied])
def confirms_without_applying(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """An agent confirms what it has received, not what it has applied."""
    return learn.but(without=[known])


@variant(replaces=learn, breaks=[applied_means_confirmed])
def applies_without_confirming(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """An agent does not confirm what it learned, and NCM keeps waiting."""
    return learn.but(without=[applied])


@variant(replaces=grant, breaks=[whoever_was_told_is_told_the_newest])
def answers_older_epochs(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """NCM answers a request from before a restart: the host counts as told, and its new epoch is sent nothing."""
    return grant.but(without=[epoch == greeted(host)], when=[epoch <= greeted(host)])


@variant(replaces=store, breaks=[whoever_was_told_is_told_the_newest])
def tells_only_the_home(pod: Pod, version: Version) -> Step:
    """NCM sends a newer version to the pod's new home only, and not to the hosts that were told before."""
    return store.but(
        without=[route],
        then=[
            for_each(
                Host,
                lambda host: route.send(host, greeted(host), pod, version).when(
                    ~removed(host) & at(pod, version, host) & (greeted(host) > NEVER)
                ),
            )
        ],
    )


@variant(replaces=greet, breaks=[whoever_was_told_is_told_the_newest])
def greets_without_sending(host: Host, epoch: Epoch) -> Step:
    """NCM greets a restarted agent without sending it the pods at its host."""
    return greet.but(without=[route])


@variant(replaces=grant, breaks=[invents_nothing, grants_by_the_record])
def grants_the_next_version(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """NCM grants the version after the recorded one (off by one)."""
    return grant.but(without=[version == recorded(destination)], when=[version == recorded(destination) + 1])


@variant(replaces=release, breaks=[acts_once])
def releases_again(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, version: Version
) -> Step:
    """A released packet stays in the list of held packets."""
    return release.but(without=[waiting])


@variant(replaces=place, breaks=[versions_are_immutable])
def reuses_a_version(pod: Pod, host: Host) -> Step:
    """A pod moves without a new version."""
    version = choose(latest(pod) == Version.of(0), Version.of(1), latest(pod))
    return place.but(
        without=[latest, at, outcome, config],
        then=[
            latest.assign(pod, to=version),
            for_each(Host, lambda other: at.remove(pod, version, other)),
            at.add(pod, version, host),
            outcome.assign(pod, version, to=Change.pending),
            config.send(pod, version),
        ],
    )


@variant(replaces=deliver, breaks=[releases_only_to_a_place])
def delivers_without_a_route(host: Host, source: Pod, destination: Pod) -> Step:
    """An agent sends to any pod that it knows, although the pod may be gone or no route is installed."""
    return deliver.but(without=[usable(host, destination)], when=[Version.of(0) < known(host, destination)])


@variant(replaces=ask, breaks=[releases_only_to_a_place])
def asks_for_another(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Step:
    """An agent holds a packet whose source is not at its host, and asks."""
    return ask.but(without=[local(host, source)])


@variant(replaces=complete, breaks=[dpm_hears_what_happened])
def takes_every_report_for_done(pod: Pod, version: Version, result: Change) -> Step:
    """DPM takes any report for success."""
    return complete.but(without=[outcome], then=[outcome.assign(pod, version, to=Change.done)])


@variant(replaces=restart, breaks=[learns_only_on_demand])
def remembers_over_a_restart(host: Host) -> Step:
    """An agent keeps what it knew in the previous epoch, although NCM will not send it newer versions."""
    return restart.but(without=[known, installed])


# -------------------------------------------------------------------------------------------- unending waits


@variant(replaces=time_out, breaks=[held_packets_go_or_are_dropped], kind=Deviation.AS_BUILT)
def waits_without_a_deadline(host: Host, asked_by: Request, source: Pod, destination: Pod) -> Step:
    """A request has no deadline: the packet is held until an answer arrives, if one ever does."""
    return time_out.but(without=[waiting, dropped(host, asked_by, source, destination)])


@variant(replaces=refuse, breaks=[requests_are_answered, held_packets_go_or_are_dropped])
def keeps_silent_about_the_unknown(
    host: Host, epoch: Epoch, asked_by: Request, source: Pod, destination: Pod, why: Reason
) -> Step:
    """A request for a pod without a record is not answered."""
    return refuse.but(without=[refused], then=[refused.send(host, epoch, asked_by, why).when(why != Reason.unknown)])


@variant(replaces=learn, breaks=[whoever_was_told_learns_the_newest, whoever_is_waited_for_confirms])
def ignores_news_of_the_evicted(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """An agent ignores newer versions of a pod without an installed route, unless the pod moves to its own host."""
    return learn.but(when=[installed(host, pod) | at(pod, version, host)])


@variant(replaces=acknowledge, breaks=[whoever_is_waited_for_confirms])
def counts_each_version_alone(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Step:
    """A confirmation counts for its own version only, so NCM keeps waiting for older versions that the agent skipped."""
    return acknowledge.but(without=[pending], then=[pending.remove(pod, version, host)])


@variant(replaces=complete, breaks=[dpm_hears_of_every_version])
def hears_of_success_only(pod: Pod, version: Version, result: Change) -> Step:
    """DPM ignores reports of superseded and failed versions."""
    return complete.but(when=[result == Change.done])


@variant(replaces=report_done, breaks=[what_all_confirm_is_done])
def reports_the_newest_only(pod: Pod, version: Version) -> Step:
    """NCM reports a version as done only while it is the recorded one."""
    return report_done.but(when=[version == recorded(pod)])


@variant(replaces=greet, breaks=[agents_are_met])
def greets_an_agent_once(host: Host, epoch: Epoch) -> Step:
    """NCM takes hellos of new agents only: a restarted one is not met before it sends a request."""
    return greet.but(when=[greeted(host) == NEVER])


@variant(replaces=resume, breaks=[pauses_end])
def pauses_until_something_is_known(host: Host, source: Pod, destination: Pod) -> Step:
    """A refused pod is not requested again until the agent knows a version of it."""
    return resume.but(when=[Version.of(0) < known(host, destination)])
