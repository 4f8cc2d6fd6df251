"""What the protocol promises about infinite runs: nothing waits forever.

All eventualities assume weak fairness: an action marked `fair` does not stay enabled forever, for one choice of its parameters,
without being taken. The fair actions are a role's obligations: it takes the messages that it can take, answers, confirms, reports,
and acts on timeouts (a held packet is dropped, a pause ends, NCM stops waiting for a host). Actions of users and operators,
crashes, and actions of Byzantine hosts are not fair, so no eventuality relies on them. Resending is fair too, although it adds
nothing while sent messages stay available.

Where a timeout alone could satisfy an eventuality, it is also checked without timeouts: the configuration `answers` leaves out
timeouts, failures reported by NCM, and hosts that leave, so that only answers and confirmations count there.
"""

from __future__ import annotations

from model.language import eventually, leads_to
from model.language.claims import LeadsTo
from model.language.quantifiers import exists, forall
from spec.on_demand.promises import (
    a_change_fails,
    a_change_is_done,
    a_confirmation_counts,
    a_host_has_yet_to_be_heard,
    a_late_version_is_superseded,
    a_packet_is_dropped,
    a_packet_is_released,
    a_remote_pod_is_learned,
    a_told_host_hears_of_a_change,
    an_agent_is_behind,
    an_unknown_pod_is_refused,
)
from spec.on_demand.vocabulary import (
    Change,
    Epoch,
    Host,
    Pod,
    Reason,
    Request,
    Version,
    change,
    correct,
    epoch,
    granted,
    greeted,
    known,
    outcome,
    paused,
    pending,
    recorded,
    refused,
    removed,
    told,
    waiting,
)

_epoch_of = epoch  # an alias, since an eventuality has a parameter called epoch
NEVER = Epoch.of(0)


@eventually(a_packet_is_released, a_packet_is_dropped)
def held_packets_go_or_are_dropped(host: Host, asked_by: Request, source: Pod, destination: Pod) -> LeadsTo:
    """Every held packet is eventually released or dropped."""
    held = waiting(host, asked_by, source, destination)
    return leads_to(held, ~held)


@eventually(a_packet_is_released, an_unknown_pod_is_refused)
def requests_are_answered(host: Host, asked_by: Request, source: Pod, destination: Pod) -> LeadsTo:
    """While a packet is held, an answer to its request is eventually sent, unless the host has left."""
    held = waiting(host, asked_by, source, destination)
    yes = exists(Version, lambda version: granted.unspent(host, epoch(host), asked_by, destination, version))
    no = exists(Reason, lambda why: refused.unspent(host, epoch(host), asked_by, why))
    return leads_to(held, yes | no | ~held | removed(host))


@eventually(an_agent_is_behind, a_told_host_hears_of_a_change)
def whoever_was_told_learns_the_newest(host: Host, pod: Pod, version: Version) -> LeadsTo:
    """A host that was told of a pod eventually knows each version that NCM records, or a newer one, unless it restarted or left."""
    told_of = correct(host) & told(host, pod) & (greeted(host) > NEVER) & (recorded(pod) == version)
    return leads_to(told_of, (version <= known(host, pod)) | (greeted(host) < epoch(host)) | removed(host))


@eventually(a_host_has_yet_to_be_heard, a_confirmation_counts)
def whoever_is_waited_for_confirms(host: Host, pod: Pod, version: Version) -> LeadsTo:
    """NCM waits forever for no agent that it has met: the agent confirms, unless it restarts or leaves, or the version fails."""
    waited_for = pending(pod, version, host)
    met = correct(host) & (greeted(host) > NEVER) & (greeted(host) == epoch(host))
    return leads_to(waited_for & met, ~waited_for | (greeted(host) < epoch(host)))


@eventually(a_change_is_done, a_change_fails, a_late_version_is_superseded)
def dpm_hears_of_every_version(pod: Pod, version: Version) -> LeadsTo:
    """DPM eventually receives the outcome of every version that it issued: done, superseded or failed."""
    return leads_to(outcome(pod, version) == Change.pending, outcome(pod, version) != Change.pending)


@eventually(a_confirmation_counts, a_change_is_done)
def what_all_confirm_is_done(pod: Pod, version: Version) -> LeadsTo:
    """A version for which NCM waits for no host any more is eventually done at DPM: it neither fails nor stays pending."""
    nobody = forall(Host, lambda host: ~pending(pod, version, host))
    return leads_to((change(pod, version) == Change.pending) & nobody, outcome(pod, version) == Change.done)


@eventually(a_remote_pod_is_learned)
def agents_are_met(host: Host, epoch: Epoch) -> LeadsTo:
    """NCM eventually meets every epoch of an agent, or a newer one, unless the host has left."""
    started = correct(host) & (epoch > NEVER) & (epoch == _epoch_of(host))
    return leads_to(started, (epoch <= greeted(host)) | removed(host))


@eventually(an_unknown_pod_is_refused)
def pauses_end(host: Host, source: Pod, destination: Pod) -> LeadsTo:
    """Every pause after a refusal eventually ends, so that the agent asks again for the next packet."""
    pausing = paused(host, source, destination)
    return leads_to(pausing, ~pausing)
