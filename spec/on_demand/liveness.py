"""What the protocol promises of infinite runs: that what waits does not wait for ever.

All of it counts on weak fairness: an action marked `fair` is not possible for ever, with one choice of its parameters, without
being taken. Fair is what a role is bound to do: it takes the messages that it can take, answers, confirms, reports, and acts when
a time is up (a held packet is dropped, a pause ends, NCM stops waiting for a host). What users, operators, crashes and hosts
that are Byzantine do is not fair: nobody may count on it. Sending again is fair too, though while sent messages stay available
it adds nothing.

Where a time-out could keep a promise by itself, the promise is decided without it as well: the configuration `answers` leaves out
time-outs, failures that NCM reports, and hosts that leave, so there only answers and confirmations count.
"""

from __future__ import annotations

from model.language import eventually, leads_to
from model.language.claims import LeadsTo
from model.language.terms import exists
from spec.on_demand.promises import (
    a_change_fails,
    a_change_is_done,
    a_confirmation_counts,
    a_host_has_yet_to_be_heard,
    a_late_version_is_superseded,
    a_packet_is_dropped,
    a_packet_is_released,
    a_remote_pod_is_learned,
    a_told_host_hears_of_a_move,
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

_epoch_of = epoch  # under another name, since an eventuality has a parameter called epoch
NEVER = Epoch.of(0)


@eventually(a_packet_is_released, a_packet_is_dropped)
def held_packets_go_or_are_dropped(host: Host, asked_by: Request, source: Pod, destination: Pod) -> LeadsTo:
    """A packet is not held for ever."""
    held = waiting(host, asked_by, source, destination)
    return leads_to(held, ~held)


@eventually(a_packet_is_released, an_unknown_pod_is_refused)
def requests_are_answered(host: Host, asked_by: Request, source: Pod, destination: Pod) -> LeadsTo:
    """While a packet is held, an answer to its request comes under way, unless the host has left."""
    held = waiting(host, asked_by, source, destination)
    yes = exists(Version, lambda version: granted.unspent(host, epoch(host), asked_by, destination, version))
    no = exists(Reason, lambda why: refused.unspent(host, epoch(host), asked_by, why))
    return leads_to(held, yes | no | ~held | removed(host))


@eventually(an_agent_is_behind, a_told_host_hears_of_a_move)
def whoever_was_told_learns_the_newest(host: Host, pod: Pod, version: Version) -> LeadsTo:
    """A host that was told of a pod comes to know each version that NCM records, or a newer one, or it has restarted or left."""
    told_of = correct(host) & told(host, pod) & (greeted(host) > NEVER) & (recorded(pod) == version)
    return leads_to(told_of, (version <= known(host, pod)) | (greeted(host) < epoch(host)) | removed(host))


@eventually(a_host_has_yet_to_be_heard, a_confirmation_counts)
def whoever_is_waited_for_confirms(host: Host, pod: Pod, version: Version) -> LeadsTo:
    """An agent that NCM has met and waits for confirms, or has restarted."""
    waited_for = pending(pod, version, host)
    met = correct(host) & (greeted(host) > NEVER) & (greeted(host) == epoch(host))
    return leads_to(waited_for & met, ~waited_for | (greeted(host) < epoch(host)))


@eventually(a_change_is_done, a_change_fails, a_late_version_is_superseded)
def dpm_hears_of_every_version(pod: Pod, version: Version) -> LeadsTo:
    """DPM hears of every version that it issued: done, superseded or failed."""
    return leads_to(outcome(pod, version) == Change.pending, outcome(pod, version) != Change.pending)


@eventually(a_remote_pod_is_learned)
def agents_are_met(host: Host, epoch: Epoch) -> LeadsTo:
    """NCM meets every epoch of an agent, or a newer one, unless the host has left."""
    started = correct(host) & (epoch > NEVER) & (epoch == _epoch_of(host))
    return leads_to(started, (epoch <= greeted(host)) | removed(host))


@eventually(an_unknown_pod_is_refused)
def pauses_end(host: Host, source: Pod, destination: Pod) -> LeadsTo:
    """After a refusal the agent comes to ask again when a packet wants to go there."""
    pausing = paused(host, source, destination)
    return leads_to(pausing, ~pausing)
