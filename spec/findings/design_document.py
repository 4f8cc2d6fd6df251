"""What the design document of the message queue leaves open or says wrongly, where its code departs from it, and what became of it.

The holes are numbered in the order in which the document was read. Where one is a matter of behaviour, variants state it: each is
a run of the protocol with one rule as the document has it, and breaks a promise. Where it is not, a sentence says why.
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
    """A hole of the document, or a point in which the code departs from it."""

    name: str
    """The number of the hole, or the point."""
    title: str
    """What is wrong, in a few words."""
    says: str
    """What is wrong."""
    where: str
    """Where the document says so."""
    correction: str
    """What the statement says instead."""
    by: tuple[Declared, ...]
    """The actions and guards that say it."""
    variants: tuple[Variant, ...] = ()
    """What states it; nothing if it is not a matter of behaviour."""
    otherwise: str = ""
    """Why it is not a matter of behaviour, or what part of it is not."""


_ALGORITHM: Final = "*Channel Selection Algorithm*"
_WORKFLOW: Final = "*Workflow*"

HOLES: Final = (
    Finding(
        "1",
        "success and failure have one guard",
        "The branch that has to be *the subscription succeeded* reads *failed*, twice: a refused host is published to as if it "
        "had subscribed.",
        f"{_ALGORITHM}, figure 1, lines 6 and 8, and lines 19 and 23",
        "A refusal leads to gRPC, and what the broker may hold for the host is undone; only an acceptance of the newest asking "
        "makes a host subscribed.",
        (dpm.hear_acceptance, dpm.hear_refusal),
        (queue.takes_a_refusal_for_success,),
    ),
    Finding(
        "2",
        "nothing is sent at equality",
        "Both comparisons are strict. With a number just at its threshold and the other below, neither branch applies, and the "
        "goal state is not sent.",
        f"{_ALGORITHM}, figure 1, lines 3 and 12, lines 16 and 27; {_WORKFLOW}, text 1.1.1 to 1.2.2. The hysteresis figure has "
        "no such gap",
        "Large is *at least* the threshold. Of opening, closing, sending and publishing, exactly one applies to a revision that "
        "has to go out, for all numbers; that is proved.",
        (definitions.large, definitions.small),
        (queue.sends_nothing_at_equality,),
    ),
    Finding(
        "3",
        "nothing is sent to the subscribed",
        "In a VPC that is on its topic there is no branch for an agent that has subscribed already. The commonest case sends "
        "nothing.",
        f"{_ALGORITHM}, figure 1, line 4. Figure 2 has the branch",
        "What is published is kept by the broker for every subscription; whoever is not known to have one is pushed to.",
        (dpm.publish,),
        (queue.sends_nothing_to_the_subscribed,),
    ),
    Finding(
        "4",
        "earliest or latest",
        "One figure subscribes from the earliest message, the other from the latest. From the earliest, an agent is handed what "
        "newer states have replaced; from the latest, it misses what was published before it came.",
        f"{_ALGORITHM}, figures 1 and 2",
        "From the latest: the host is served directly until it has confirmed, so there is nothing before it that it would miss. "
        "And whatever comes again changes nothing, since newer wins.",
        (aca.accept, aca.receive),
        (queue.replays_over_newer, queue.publishes_before_it_subscribes),
    ),
    Finding(
        "5",
        "published before subscribed",
        "The flow chart publishes the goal state and asks the agent to subscribe afterwards; the exchange diagram and the other "
        "figure do it the other way round.",
        f"{_ALGORITHM}, figure 2, against *Workflow UML*, steps 7 to 10",
        "Subscribe first, then publish: only who has confirmed counts as subscribed. With slots, a host that is being asked is "
        "pushed to, and nothing is on the way to its slot.",
        (dpm.hear_acceptance, dpm.publish, slot_dpm.publish),
        (queue.publishes_before_it_subscribes, slots.publishes_before_it_is_confirmed),
    ),
    Finding(
        "6",
        "no hysteresis",
        "The flow chart leaves the topic by the same thresholds by which it goes there; the other figures have four fifths of "
        "them for leaving.",
        f"{_ALGORITHM}, figure 2, against figures 1 and 3; the draft of January too",
        "Leaving takes both numbers below four fifths, in integers. Between two decisions a number has changed by more than a "
        "fifth of its threshold; that is proved.",
        (definitions.small, dpm.close_topic),
        (queue.has_no_hysteresis,),
    ),
    Finding(
        "7",
        "retries without end",
        "After a refusal or a timeout the agent is asked again, with no limit and no growing wait. If the cause is permanent, "
        "as a shared slot is, that is a livelock.",
        f"{_ALGORITHM}, figure 1, lines 9, 11 and 26",
        "A host is asked a limited number of times in a row, after longer and longer waits, and then served directly. A refusal "
        "ends it at once.",
        (dpm.ask_again, dpm.give_up, slot_dpm.give_up),
        (queue.asks_for_ever, slots.asks_a_dead_agent_for_ever),
    ),
    Finding(
        "8",
        "the fall-back is forgotten",
        "After a failed first subscription the state goes by gRPC. But the topic exists by now, so the next state takes the "
        "branch for existing topics, and asks the same host again.",
        f"{_ALGORITHM}, figure 1, lines 17 and 24",
        "Who could not subscribe is barred: it is pushed to, and not asked again before its agent restarts or the topic is opened "
        "anew.",
        (dpm.hear_refusal, dpm.give_up, dpm.ask),
        (queue.forgets_that_it_fell_back,),
        "The configuration of the run counts two askings, so the run ends after the second; with more of them the host is asked, "
        "refuses, and is asked again.",
    ),
    Finding(
        "9",
        "closing when the time is right",
        "When a topic is closed and its subscriptions ended is left open. What was published and not consumed by then is lost; "
        "or, consumed later, it reverts what came by gRPC meanwhile.",
        f"{_ALGORITHM}, figure 1, line 13",
        "No more is published first; then each host is sent, directly, the newest revision; then its subscription is ended at "
        "the broker. What comes late is older, and changes nothing.",
        (dpm.close_topic, dpm.leave, dpm.end_subscription, aca.receive),
        (queue.leaves_without_a_snapshot, queue.the_channels_overtake_each_other),
        "The shortest run in which an older state wins has both of them by gRPC. By the topic it is no different: that run stands "
        "under hole 4.",
    ),
    Finding(
        "10",
        "a VPC switches while one state is sent",
        "The channel is decided for a whole VPC while one state is sent to one host. The other hosts are still on the old "
        "channel, and states on the two channels are not ordered with each other.",
        "the whole document",
        "Between the channels a VPC is *opening* or *closing*, and each host has a state of its own: it is taken for subscribed "
        "from its confirmation until it has been told to leave. Revisions order what comes by both ways.",
        (dpm.open_topic, dpm.finish_opening, dpm.close_topic, dpm.finish_closing, aca.learn),
        (queue.closes_the_topic_at_once, queue.the_channels_overtake_each_other),
    ),
    Finding(
        "11",
        "addresses as ranges of hashes",
        "The range that an agent is to subscribe to is its IPv4 address, up to 2³² - 1, while hashes end at 65 535. No key reaches "
        "such a range.",
        f"{_WORKFLOW}, ranges in the figure",
        "A slot is one that keys hash to, and a key is looked up that does.",
        (slot_definitions.may_fill, slot_dpm.allot),
        (slots.gives_out_slot_0,),
        "A broker refuses a range beyond 65 535 outright. What it then is: a refusal that lasts, as in hole 7.",
    ),
    Finding(
        "12",
        "two hosts in one slot",
        "There are 65 536 slots for a million nodes. Two hosts of a VPC whose slots are equal cannot both subscribe, and nothing "
        "notices it.",
        f"*System Requirements*, 3, against {_WORKFLOW}",
        "DPM allots slots, each to one host of the VPC. Who gets none, or is refused, is served by gRPC.",
        (slot_dpm.allot, slot_dpm.hear_refusal),
        (slots.shares_a_slot,),
    ),
    Finding(
        "13",
        "key, or hash of the key",
        "Whether a slot is named by the key itself or by its hash is not said; the figure gives the key. The broker hashes the "
        "key, so the message goes elsewhere than the agent listens.",
        _WORKFLOW,
        "The host is told the slot to which its key hashes: whatever is on its way to a host is under a key of the slot that the "
        "host was told.",
        (slot_dpm.allot, slot_dpm.publish),
        (slots.publishes_to_another_slot,),
    ),
    Finding(
        "14",
        "acknowledgments name no change",
        "Acknowledgments are kept by node, and by port. Those of two configurations on their way cannot be told apart: an old "
        "one completes a new request.",
        "*Data Schema*",
        "A confirmation names host, epoch, VPC and revision, and counts for that revision and older ones.",
        (dpm.acknowledge, slot_dpm.acknowledge),
        (queue.counts_any_confirmation, slots.counts_for_any_change),
    ),
    Finding(
        "15",
        "acknowledgments go to any instance",
        "The subscription of the acknowledgment topic is shared by all DPM instances, and each has a cache of its own. The one "
        "that waits need not be the one that hears.",
        f"{_WORKFLOW}; *Data Schema*",
        "One instance leads; an answer is acknowledged only when the journal, which whoever takes over reads, has it.",
        (failover.record, failover.acknowledge),
        (several.an_answer_goes_to_any_instance,),
    ),
    Finding(
        "16",
        "seeking back",
        "An agent is to be set back to the first message that it did not consume; no message carries the position. Set back, it "
        "applies again what came before, over later states that came by gRPC.",
        f"{_ALGORITHM}, figures 1 and 2",
        "Nobody seeks. The broker keeps what a subscription did not acknowledge, and an agent applies only what is newer.",
        (aca.receive, aca.consume, slot_aca.pass_over),
        (queue.replays_over_newer, slots.replays_the_older),
    ),
    Finding(
        "17",
        "the whole table for everybody who joins",
        "On a first switch all multicast states are sent: for each host that joins, or once? In the first case every agent gets "
        "the whole table once for each agent: deliveries grow with the square of the hosts.",
        f"{_ALGORITHM}, figure 1, line 22",
        "A revision is published once for all. Whoever joins is sent directly, and alone, what is newest.",
        (dpm.publish, dpm.add_port, dpm.greet),
        (),
        "Either reading delivers the same states in the end; they differ in what that costs.",
    ),
    Finding(
        "18",
        "a slot that nobody attends",
        "What becomes of a message whose slot no agent holds is not said. The broker stops there: dispatch to all others of the "
        "subscription waits for it.",
        _WORKFLOW,
        "A consumer of DPM's own attends every slot that no agent does, and hands back what it gets: the host is sent it by gRPC.",
        (slot_dpm.fill, slot_dpm.hand_back),
        (slots.leaves_a_slot_unattended,),
    ),
    Finding(
        "19",
        "success before anybody has confirmed",
        "Success is owed when all goal states are acknowledged; the exchange replies when a thread has been started that will "
        "look for acknowledgments. And what the thread does about those that are missing is not said.",
        "*System Requirements*, 2, against *Workflow UML*, steps 14 and 15",
        "Done is reported when every host that has a port has confirmed; otherwise, after a time, failed. One of the two is "
        "always possible.",
        (dpm.report_done, dpm.report_failed),
        (queue.reports_before_they_confirm, queue.waits_for_the_dead),
    ),
    Finding(
        "20",
        "unsubscribing is not recorded",
        "The record of who has subscribed is not updated when an agent unsubscribes. Nor is the acknowledgment topic and its "
        "subscription undone.",
        "*MQ topic subscription or unsubscription*; source of *Workflow UML*, where the update is commented out",
        "A host leaves in DPM's record first, and is none when the broker has ended the subscription.",
        (dpm.leave, dpm.end_subscription),
        (queue.forgets_that_it_unsubscribed,),
        "There is no acknowledgment topic to undo: confirmations go by the host's own request topic, which lives as long as its "
        "registration.",
    ),
    Finding(
        "21",
        "the last port leaves",
        "When the last port of a VPC leaves a host, nothing unsubscribes it. The broker goes on collecting for it, and the host "
        "receives what is no longer its own.",
        "the whole document",
        "With the last port, the subscription begins to end; while one does, nothing is published.",
        (dpm.remove_port, dpm.end_subscription, definitions.somebody_is_leaving),
        (queue.keeps_the_subscription,),
    ),
    Finding(
        "22",
        "two kinds of state change places",
        "One text divides into the first kind of state and forwards the second; the next divides into the second and makes the "
        "first of it.",
        f"{_WORKFLOW}, box of DPM's functions, text 1.1.1 and 1.1.2",
        "There is one kind: a revision, whichever way it goes.",
        (dpm.publish, dpm.send_directly),
        (),
        "The names of two encodings are mixed up. Nothing is sent otherwise for it, or to anybody else.",
    ),
    Finding(
        "23",
        "topics of subnets, by unicast or by multicast",
        "The topics for premium users are unicast in January and multicast in March; route information is unicast for large VPCs "
        "and multicast for premium ones.",
        "*Channel & MQ topic Selection*, and the draft of January",
        "What is for one host goes to that host, what all hosts of a VPC share to the VPC's topic. There are no topics of subnets.",
        (dpm.publish, slot_dpm.publish),
        (),
        "Which states go by which kind of topic is a classification; either topic is held to the promises of its kind, which "
        "stand for any content.",
    ),
    Finding(
        "24",
        "step numbers",
        "The numbers in the box of DPM's steps are not those on the arrows: one number names two steps, and three steps have two "
        "numbers.",
        _WORKFLOW,
        "Steps have names, and their order follows from their guards.",
        (dpm.ask, dpm.hear_acceptance, dpm.publish),
        (),
        "Labels of a figure contradict each other. The order itself is a matter of behaviour: that is hole 5.",
    ),
    Finding(
        "25",
        "several instances decide at once",
        "Several DPM instances run the algorithm on the same VPC, with neither a lock nor an epoch.",
        "*Architecture*, where DPM is drawn several times",
        "What an instance decides is an entry of the journal, which takes those of the newest term only.",
        (failover.take_over, failover.depose, failover.accept),
        (several.several_decide_at_once,),
    ),
    Finding(
        "26",
        "ports now, or after this change",
        "Whether ports are counted before or after the change is not said. Counted before, a VPC that has just reached its "
        "threshold goes there and back, with creations and deletions near it.",
        _ALGORITHM,
        "Ports are counted as they are after the change, in the step that changes them.",
        (dpm.add_port, dpm.remove_port, definitions.large, definitions.small),
        (queue.decides_on_the_size_before, queue.has_no_hysteresis),
    ),
)
"""All of the document, in its order."""

DEVIATIONS: Final = (
    Finding(
        "lower threshold",
        "a tenth, not four fifths",
        "The document leaves the topic below four fifths of the thresholds; the code's lower threshold is a tenth of the upper.",
        "settings of DPM",
        "Four fifths, of both numbers.",
        (definitions.small,),
        (queue.leaves_far_too_late,),
    ),
    Finding(
        "quantity",
        "ports only",
        "The document decides by ports and by the largest security group; the code counts ports.",
        "DPM's choice of the path",
        "Either number makes a VPC large; both have to be low for it to be small.",
        (definitions.large, definitions.small),
        (queue.counts_ports_only,),
    ),
    Finding(
        "equality",
        "more than, not at least",
        "The hysteresis figure goes to the topic at the threshold, the code above it.",
        "DPM's choice of the path",
        "At the threshold.",
        (definitions.large,),
        (),
        "The code's other branch is *else*, so there is no gap: at the threshold the VPC stays where it is, and is served there. "
        "It is as if X were greater by one; every promise about states and steps is proved of it too.",
    ),
    Finding(
        "topics of a VPC",
        "one for everything",
        "The document has a unicast, a multicast and an acknowledgment topic; the code has one, and states for single hosts and "
        "for all share it.",
        "DPM's sender",
        "What is for one host goes by its inbox; the VPC's topic has only what all its hosts share.",
        (dpm.publish,),
        (),
        "Which host is handed what depends on keys and slots, not on the number of topics. That a slot is no isolation is said "
        "and shown in the document of slots, of one topic as of several.",
    ),
    Finding(
        "key",
        "text, not a number",
        "The document's key is the host's address as an integer, the code's is the address as text.",
        "DPM's sender",
        "A key is looked up for the slot.",
        (slot_dpm.publish,),
        (),
        "The broker hashes bytes, of whatever they are the name. What matters is that key and slot agree: that is the next row.",
    ),
    Finding(
        "slot told to the agent",
        "hashed twice",
        "The document tells the agent the key, the code the hash of the hash of it; and an agent that is told nothing takes "
        "slot 0.",
        "DPM's subscribe call, the agent's options",
        "The slot to which the key hashes; slot 0, which no key reaches, is never given out.",
        (slot_dpm.allot, slot_dpm.publish),
        (slots.publishes_to_another_slot, slots.gives_out_slot_0),
    ),
    Finding(
        "slot used by the broker",
        "hashed once",
        "The document does not say how a key finds its slot. The broker hashes it, once.",
        "Pulsar",
        "A message goes to the slot to which its key hashes.",
        (slot_dpm.publish,),
        (slots.publishes_to_another_slot,),
        "It is a fact, and the statement's. Only together with what the agent was told, a row above, is it wrong.",
    ),
    Finding(
        "subscribe before publish",
        "recorded before it is asked",
        "The document waits for the result; the code records the host as subscribed, asks, and ignores result, error and timeout.",
        "DPM's sender",
        "Asked is not subscribed, and only the answer to the newest asking counts.",
        (dpm.ask, dpm.hear_acceptance),
        (queue.publishes_before_it_subscribes, queue.takes_any_answer),
    ),
    Finding(
        "start",
        "latest",
        "The document has earliest and latest, the code latest: what was published before the agent came, it never gets.",
        "the agent's consumer",
        "Latest too; but nothing is left to the topic before the subscription is confirmed.",
        (aca.accept, dpm.hear_acceptance),
        (queue.publishes_before_it_subscribes,),
    ),
    Finding(
        "multicast",
        "a message for each host",
        "The document publishes once, with a subscription for each host; the code publishes once for each host.",
        "DPM's sender",
        "Once.",
        (dpm.publish,),
        (),
        "The same states arrive, at the cost of a message for each host, which the topic was to save.",
    ),
    Finding(
        "acknowledgment",
        "none",
        "The document has acknowledgments by a topic; the code has none, and calls it success when the broker has stored the "
        "message.",
        "DPM's sender, the agent's listener",
        "Hosts confirm what they have applied, and done means that all of them did.",
        (aca.learn, aca.receive, dpm.report_done),
        (queue.reports_before_they_confirm,),
    ),
    Finding(
        "acknowledgment to the broker",
        "always",
        "The document does not say when a message is acknowledged to the broker. The code does it in every case, also when parsing "
        "or applying has failed.",
        "the agent's listener",
        "After applying it, or something newer.",
        (aca.consume, slot_aca.learn),
        (queue.acknowledges_whatever_comes, slots.acknowledges_what_it_did_not_apply),
    ),
    Finding(
        "fall-back to gRPC",
        "none",
        "The document falls back to gRPC when a subscription fails; the code does not.",
        "DPM's sender",
        "After the last try, or a refusal, the host is served directly.",
        (dpm.give_up, dpm.hear_refusal),
        (queue.has_no_fallback,),
    ),
    Finding(
        "unsubscribing",
        "never",
        "The document unsubscribes agents when a VPC leaves the topic; the code never does.",
        "DPM",
        "DPM ends the subscription at the broker; no agent is needed for it.",
        (dpm.leave, dpm.end_subscription),
        (queue.never_unsubscribes,),
    ),
)
"""Where the code departs from the document."""
