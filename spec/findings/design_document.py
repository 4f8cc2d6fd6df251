"""The gaps and errors of the message queue's design document, where its code departs from it, and how the statement resolves each.

The holes are numbered in reading order. If a hole concerns behavior, variants state it: each is the protocol with one rule as in
the document, and breaks a promise. If it does not, a sentence says why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from model.language import Action, Definition, Variant
from spec.failover import actions as failover
from spec.failover import variants as several
from spec.message_queue import aca, definitions, dpm
from spec.message_queue import variants as queue
from spec.slots import aca as slot_aca
from spec.slots import definitions as slot_definitions
from spec.slots import dpm as slot_dpm
from spec.slots import variants as slots

Declared = Action | Definition[..., Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """A hole in the document, or a point where the code departs from it."""

    name: str
    """The number of the hole, or the name of the point."""
    title: str
    """The problem, in a few words."""
    says: str
    """The problem."""
    where: str
    """Where in the document it is."""
    correction: str
    """What the statement says instead."""
    by: tuple[Declared, ...]
    """The actions and definitions that say it."""
    variants: tuple[Variant, ...] = ()
    """The variants that state it; empty if it does not concern behavior."""
    otherwise: str = ""
    """Why it does not concern behavior, or which part of it does not."""


_ALGORITHM: Final = "*Channel Selection Algorithm*"
_WORKFLOW: Final = "*Workflow*"

HOLES: Final = (
    Finding(
        "1",
        "success and failure have the same guard",
        "The branch that should test *the subscription succeeded* tests *failed*, twice: a refused host is published to "
        "as if it had subscribed.",
        f"{_ALGORITHM}, figure 1, lines 6 and 8, and lines 19 and 23",
        "A refusal leads to gRPC, and DPM deletes whatever the broker may hold for the host. Only an acceptance of the "
        "newest attempt makes a host subscribed.",
        (dpm.hear_acceptance, dpm.hear_refusal),
        (queue.takes_a_refusal_for_success,),
    ),
    Finding(
        "2",
        "nothing is sent at equality",
        "Both comparisons are strict. If one number equals its threshold and the other is below, neither branch "
        "applies, and the goal state is not sent.",
        f"{_ALGORITHM}, figure 1, lines 3 and 12, lines 16 and 27; {_WORKFLOW}, text 1.1.1 to 1.2.2. The hysteresis figure has "
        "no such gap",
        "Large means *at least* the threshold. For every revision to be sent, exactly one of opening, closing, sending "
        "and publishing applies, for all numbers; this is proved.",
        (definitions.large, definitions.small),
        (queue.sends_nothing_at_equality,),
    ),
    Finding(
        "3",
        "nothing is sent to the subscribed",
        "In a VPC that uses its topic there is no branch for an agent that has already subscribed. The most common case "
        "sends nothing.",
        f"{_ALGORITHM}, figure 1, line 4. Figure 2 has the branch",
        "The broker keeps what is published for every subscription. DPM pushes to every host that is not known to have "
        "one.",
        (dpm.publish,),
        (queue.sends_nothing_to_the_subscribed,),
    ),
    Finding(
        "4",
        "earliest or latest",
        "One figure subscribes from the earliest message, the other from the latest. From the earliest, an agent "
        "receives states that newer ones have replaced; from the latest, it misses what was published before it joined.",
        f"{_ALGORITHM}, figures 1 and 2",
        "From the latest. DPM pushes to the host until it has confirmed, so it misses nothing that was published "
        "earlier. Redeliveries change nothing, since the newer revision wins.",
        (aca.accept, aca.receive),
        (queue.replays_over_newer, queue.publishes_before_it_subscribes),
    ),
    Finding(
        "5",
        "published before subscribed",
        "The flow chart publishes the goal state and asks the agent to subscribe afterwards; the exchange diagram and "
        "the other figure do it in the opposite order.",
        f"{_ALGORITHM}, figure 2, against *Workflow UML*, steps 7 to 10",
        "Subscribe first, then publish: only a host that has confirmed counts as subscribed. With slots, DPM pushes to "
        "a host that is being asked, and nothing is in flight to its slot.",
        (dpm.hear_acceptance, dpm.publish, slot_dpm.publish),
        (queue.publishes_before_it_subscribes, slots.publishes_before_it_is_confirmed),
    ),
    Finding(
        "6",
        "no hysteresis",
        "The flow chart leaves the topic at the same thresholds at which it joins it; the other figures use four fifths "
        "of them for leaving.",
        f"{_ALGORITHM}, figure 2, against figures 1 and 3; the draft of January too",
        "Leaving requires both numbers below four fifths, in integers. Between two decisions a number has changed by "
        "more than a fifth of its threshold; this is proved.",
        (definitions.small, dpm.close_topic),
        (queue.has_no_hysteresis,),
    ),
    Finding(
        "7",
        "unlimited retries",
        "After a refusal or a timeout the agent is asked again, without a limit or a growing wait. If the cause is "
        "permanent, such as a shared slot, this is a livelock.",
        f"{_ALGORITHM}, figure 1, lines 9, 11 and 26",
        "A host is asked a limited number of times in a row, with growing waits, and then served directly. A refusal "
        "ends it at once.",
        (dpm.ask_again, dpm.give_up, slot_dpm.give_up),
        (queue.asks_for_ever, slots.asks_a_dead_agent_for_ever),
    ),
    Finding(
        "8",
        "the fallback is forgotten",
        "After a failed first subscription the state goes by gRPC. But the topic exists by then, so the next state "
        "takes the branch for existing topics, and asks the same host again.",
        f"{_ALGORITHM}, figure 1, lines 17 and 24",
        "A host that could not subscribe is barred: DPM pushes to it, and does not ask it again before its agent "
        "restarts or the topic is opened again.",
        (dpm.hear_refusal, dpm.give_up, dpm.ask),
        (queue.forgets_that_it_fell_back,),
        "The run's configuration allows two attempts, so the run ends after the second; with more of them the host is "
        "asked, refuses, and is asked again.",
    ),
    Finding(
        "9",
        "closing when the time is right",
        "The document does not say when a topic is closed and its subscriptions ended. What was published and not yet "
        "consumed is lost; or, if it is consumed later, it reverts what arrived by gRPC in between.",
        f"{_ALGORITHM}, figure 1, line 13",
        "DPM first stops publishing, then pushes the newest revision to each host, and then ends its subscription at "
        "the broker. Anything that arrives late is older, and changes nothing.",
        (dpm.close_topic, dpm.leave, dpm.end_subscription, aca.receive),
        (queue.leaves_without_a_snapshot, queue.the_channels_overtake_each_other),
        "In the shortest run in which an older state wins, both states arrive by gRPC. The topic makes no difference: "
        "that run is under hole 4.",
    ),
    Finding(
        "10",
        "a VPC switches while one state is sent",
        "The channel is chosen for a whole VPC while one state is sent to one host. The other hosts are still on the "
        "old channel, and states on the two channels are not ordered with each other.",
        "the whole document",
        "Between the channels a VPC is *opening* or *closing*, and each host has its own state: it counts as subscribed "
        "from its confirmation until it has been told to leave. Revisions order what arrives on both channels.",
        (dpm.open_topic, dpm.finish_opening, dpm.close_topic, dpm.finish_closing, aca.learn),
        (queue.closes_the_topic_at_once, queue.the_channels_overtake_each_other),
    ),
    Finding(
        "11",
        "addresses as ranges of hashes",
        "The range to which an agent subscribes is its IPv4 address, up to 2³² - 1, while hashes end at 65 535. No key "
        "reaches such a range.",
        f"{_WORKFLOW}, ranges in the figure",
        "Only slots that keys hash to are allotted, and DPM looks up such a key.",
        (slot_definitions.may_fill, slot_dpm.allot),
        (slots.gives_out_slot_0,),
        "A broker rejects a range beyond 65 535 outright. The result is a permanent refusal, as in hole 7.",
    ),
    Finding(
        "12",
        "two hosts in one slot",
        "There are 65 536 slots for a million nodes. Two hosts of a VPC with equal slots cannot both subscribe, and "
        "nothing detects it.",
        f"*System Requirements*, 3, against {_WORKFLOW}",
        "DPM allots each slot to one host of the VPC. A host that gets none, or is refused, is served by gRPC.",
        (slot_dpm.allot, slot_dpm.hear_refusal),
        (slots.shares_a_slot,),
    ),
    Finding(
        "13",
        "key, or hash of the key",
        "The document does not say whether a slot is named by the key or by its hash; the figure shows the key. The "
        "broker hashes the key, so the message goes to a slot to which the agent does not listen.",
        _WORKFLOW,
        "The host is told the slot to which its key hashes: everything in flight to a host is under a key of the slot "
        "that the host was told.",
        (slot_dpm.allot, slot_dpm.publish),
        (slots.publishes_to_another_slot,),
    ),
    Finding(
        "14",
        "acknowledgments name no change",
        "Acknowledgments are kept by node and by port. If those of two configurations are in flight, they cannot be "
        "told apart: an old one completes a new request.",
        "*Data Schema*",
        "A confirmation names host, epoch, VPC and revision, and counts for that revision and older ones.",
        (dpm.acknowledge, slot_dpm.acknowledge),
        (queue.counts_any_confirmation, slots.counts_for_any_change),
    ),
    Finding(
        "15",
        "acknowledgments go to any instance",
        "All DPM instances share the subscription of the acknowledgment topic, and each has its own cache. The instance "
        "that waits may not be the one that receives the acknowledgment.",
        f"{_WORKFLOW}; *Data Schema*",
        "One instance leads. An answer is acknowledged only when it is in the journal, which any successor reads.",
        (failover.record, failover.acknowledge),
        (several.an_answer_goes_to_any_instance,),
    ),
    Finding(
        "16",
        "seeking back",
        "An agent is to seek back to the first message that it did not consume, but no message carries the position. "
        "After seeking, it reapplies earlier states over later ones that arrived by gRPC.",
        f"{_ALGORITHM}, figures 1 and 2",
        "No agent seeks. The broker keeps what a subscription did not acknowledge, and an agent applies only newer "
        "revisions.",
        (aca.receive, aca.consume, slot_aca.pass_over),
        (queue.replays_over_newer, slots.replays_the_older),
    ),
    Finding(
        "17",
        "the whole table for every host that joins",
        "On a first switch all multicast states are sent: for each host that joins, or once? In the first case every "
        "agent receives the whole table once per agent: deliveries grow with the square of the hosts.",
        f"{_ALGORITHM}, figure 1, line 22",
        "A revision is published once for all hosts. A host that joins is sent the newest revision directly, and no "
        "other host is.",
        (dpm.publish, dpm.add_port, dpm.greet),
        (),
        "Both readings finally deliver the same states; they differ in cost.",
    ),
    Finding(
        "18",
        "an unattended slot",
        "The document does not say what happens to a message whose slot no agent holds. The broker stops there: "
        "dispatch to all other consumers of the subscription waits for it.",
        _WORKFLOW,
        "A filler consumer of DPM attends every slot that no agent attends, and hands back what it receives: DPM sends "
        "it to the host by gRPC.",
        (slot_dpm.fill, slot_dpm.hand_back),
        (slots.leaves_a_slot_unattended,),
    ),
    Finding(
        "19",
        "success before any confirmation",
        "Success requires that all goal states are acknowledged, but the exchange replies as soon as it has started a "
        "thread that will check acknowledgments. The document does not say what the thread does about missing ones.",
        "*System Requirements*, 2, against *Workflow UML*, steps 14 and 15",
        "DPM reports done when every host with a port has confirmed, and failed otherwise, after a timeout. One of the "
        "two is always possible.",
        (dpm.report_done, dpm.report_failed),
        (queue.reports_before_they_confirm, queue.waits_for_the_dead),
    ),
    Finding(
        "20",
        "unsubscribing is not recorded",
        "The record of subscribed hosts is not updated when an agent unsubscribes. The acknowledgment topic and its "
        "subscription are not deleted either.",
        "*MQ topic subscription or unsubscription*; source of *Workflow UML*, where the update is commented out",
        "A host first leaves in DPM's record, and counts as unsubscribed when the broker has ended the subscription.",
        (dpm.leave, dpm.end_subscription),
        (queue.forgets_that_it_unsubscribed,),
        "There is no acknowledgment topic to delete: confirmations use the host's own request topic, which lives as "
        "long as its registration.",
    ),
    Finding(
        "21",
        "the last port leaves",
        "When a host loses its last port of a VPC, nothing unsubscribes it. The broker keeps collecting for it, and the "
        "host receives revisions that no longer concern it.",
        "the whole document",
        "When the last port leaves, the subscription starts to end; until it has ended, nothing is published.",
        (dpm.remove_port, dpm.end_subscription, definitions.somebody_is_leaving),
        (queue.keeps_the_subscription,),
    ),
    Finding(
        "22",
        "two kinds of state are swapped",
        "One text splits into the first kind of state and forwards the second; the next splits into the second and "
        "builds the first from it.",
        f"{_WORKFLOW}, box of DPM's functions, text 1.1.1 and 1.1.2",
        "There is one kind: a revision, on either channel.",
        (dpm.publish, dpm.send_directly),
        (),
        "The names of two encodings are mixed up. It changes neither what is sent nor to whom.",
    ),
    Finding(
        "23",
        "topics of subnets, by unicast or by multicast",
        "The topics for premium users are unicast in January and multicast in March; route information is unicast for "
        "large VPCs and multicast for premium ones.",
        "*Channel & MQ topic Selection*, and the draft of January",
        "States for one host go to that host, and states shared by all hosts of a VPC go to the VPC's topic. There are "
        "no topics of subnets.",
        (dpm.publish, slot_dpm.publish),
        (),
        "Which states use which kind of topic is a classification. Each topic must keep the promises of its kind, which "
        "hold for any content.",
    ),
    Finding(
        "24",
        "step numbers",
        "The numbers in the box of DPM's steps differ from those on the arrows: one number names two steps, and three "
        "steps have two numbers.",
        _WORKFLOW,
        "Steps have names, and their order follows from their guards.",
        (dpm.ask, dpm.hear_acceptance, dpm.publish),
        (),
        "Labels of a figure contradict each other. The order itself concerns behavior: that is hole 5.",
    ),
    Finding(
        "25",
        "several instances decide at once",
        "Several DPM instances run the algorithm on the same VPC, without a lock or an epoch.",
        "*Architecture*, which shows several DPMs",
        "A decision of an instance is an entry of the journal, which accepts only entries of the newest term.",
        (failover.take_over, failover.depose, failover.accept),
        (several.several_decide_at_once,),
    ),
    Finding(
        "26",
        "ports before or after this change",
        "The document does not say whether ports are counted before or after the change. Counted before, a VPC that has "
        "just reached its threshold switches back and forth, as ports are created and deleted near it.",
        _ALGORITHM,
        "Ports are counted after the change, in the step that changes them.",
        (dpm.add_port, dpm.remove_port, definitions.large, definitions.small),
        (queue.decides_on_the_size_before, queue.has_no_hysteresis),
    ),
)
"""All holes of the document, in its order."""

DEVIATIONS: Final = (
    Finding(
        "lower threshold",
        "a tenth, not four fifths",
        "The document leaves the topic below four fifths of the thresholds; the code's lower threshold is a tenth of "
        "the upper one.",
        "settings of DPM",
        "Four fifths, for both numbers.",
        (definitions.small,),
        (queue.leaves_far_too_late,),
    ),
    Finding(
        "quantity",
        "ports only",
        "The document decides by ports and by the largest security group; the code counts ports only.",
        "DPM's choice of the path",
        "Either number makes a VPC large; both must be low for it to be small.",
        (definitions.large, definitions.small),
        (queue.counts_ports_only,),
    ),
    Finding(
        "equality",
        "more than, not at least",
        "The hysteresis figure switches to the topic at the threshold, the code above it.",
        "DPM's choice of the path",
        "At the threshold.",
        (definitions.large,),
        (),
        "The code's other branch is *else*, so there is no gap: at the threshold the VPC stays on its channel, and is "
        "served there. This equals an X that is greater by one; every promise about states and steps is proved for it "
        "too.",
    ),
    Finding(
        "topics of a VPC",
        "one for everything",
        "The document has a unicast, a multicast and an acknowledgment topic; the code has one, shared by states for "
        "single hosts and for all.",
        "DPM's sender",
        "States for one host go to its inbox; the VPC's topic carries only what all its hosts share.",
        (dpm.publish,),
        (),
        "Which host receives a message depends on keys and slots, not on the number of topics. The document of slots "
        "states and shows that slots do not isolate hosts; this holds for one topic and for several.",
    ),
    Finding(
        "key",
        "text, not a number",
        "The document's key is the host's address as an integer, the code's key is the address as text.",
        "DPM's sender",
        "DPM looks up a key for the slot.",
        (slot_dpm.publish,),
        (),
        "The broker hashes bytes, whatever they encode. Key and slot must agree; that is the next row.",
    ),
    Finding(
        "slot told to the agent",
        "hashed twice",
        "The document tells the agent the key, the code the hash of the hash of it; an agent that is told nothing takes "
        "slot 0.",
        "DPM's subscribe call, the agent's options",
        "The slot to which the key hashes; slot 0, which no key reaches, is never allotted.",
        (slot_dpm.allot, slot_dpm.publish),
        (slots.publishes_to_another_slot, slots.gives_out_slot_0),
    ),
    Finding(
        "slot used by the broker",
        "hashed once",
        "The document does not say how a key determines its slot. The broker hashes it, once.",
        "Pulsar",
        "A message goes to the slot to which its key hashes.",
        (slot_dpm.publish,),
        (slots.publishes_to_another_slot,),
        "This is a fact, and part of the statement. It is wrong only together with what the agent was told, one row "
        "above.",
    ),
    Finding(
        "subscribe before publish",
        "recorded before it is asked",
        "The document waits for the result; the code records the host as subscribed, asks, and ignores result, error "
        "and timeout.",
        "DPM's sender",
        "A host that was asked does not count as subscribed, and only the answer to the newest attempt counts.",
        (dpm.ask, dpm.hear_acceptance),
        (queue.publishes_before_it_subscribes, queue.takes_any_answer),
    ),
    Finding(
        "start",
        "latest",
        "The document has earliest and latest, the code latest: the agent never receives what was published before it "
        "joined.",
        "the agent's consumer",
        "Latest as well; but nothing is left to the topic before the subscription is confirmed.",
        (aca.accept, dpm.hear_acceptance),
        (queue.publishes_before_it_subscribes,),
    ),
    Finding(
        "multicast",
        "one message per host",
        "The document publishes once, with a subscription for each host; the code publishes once per host.",
        "DPM's sender",
        "Once.",
        (dpm.publish,),
        (),
        "The same states arrive, at the cost of one message per host, which the topic was meant to save.",
    ),
    Finding(
        "acknowledgment",
        "none",
        "The document has acknowledgments on a topic; the code has none, and reports success when the broker has stored "
        "the message.",
        "DPM's sender, the agent's listener",
        "Hosts confirm what they have applied, and done means that all of them did.",
        (aca.learn, aca.receive, dpm.report_done),
        (queue.reports_before_they_confirm,),
    ),
    Finding(
        "acknowledgment to the broker",
        "always",
        "The document does not say when a message is acknowledged to the broker. The code always does so, even if "
        "parsing or applying has failed.",
        "the agent's listener",
        "After applying it or a newer one.",
        (aca.consume, slot_aca.learn),
        (queue.acknowledges_whatever_comes, slots.acknowledges_what_it_did_not_apply),
    ),
    Finding(
        "fall-back to gRPC",
        "none",
        "The document falls back to gRPC when a subscription fails; the code does not.",
        "DPM's sender",
        "After the last attempt, or a refusal, the host is served directly.",
        (dpm.give_up, dpm.hear_refusal),
        (queue.has_no_fallback,),
    ),
    Finding(
        "unsubscribing",
        "never",
        "The document unsubscribes agents when a VPC leaves the topic; the code never does.",
        "DPM",
        "DPM ends the subscription at the broker, without needing the agent.",
        (dpm.leave, dpm.end_subscription),
        (queue.never_unsubscribes,),
    ),
)
"""The points where the code departs from the document."""
