"""The vocabulary of the on-demand protocol: sorts, state and messages.

Sending every pod to every host does not scale. Instead, a host learns the location of a remote pod when one of its own pods first
sends to it: the host's agent (ACA) asks NCM, and NCM answers that host only. The protocol has three roles.

- **DPM** decides where pods are. A pod is an address in a VPC, with a sequence of *versions*. Each version says "at this host" or
  "gone" and is immutable. Creation, migration, removal and reuse of an address thus follow one rule: the newer version wins.
- **NCM** keeps the record: the newest version that it has seen of each pod, and the hosts that it *told* of the pod. A host that
  was told is sent every newer version until its agent restarts.
- An **ACA** runs on every host. The version that it knows of a pod never decreases. An answer installs a *route* to a remote pod;
  an idle route is evicted. An agent that restarts begins a new *epoch* and knows nothing.

Messages are delivered at least once, in any order, possibly late: a sent message stays available. A message that names a version
implies its host, since `at` never changes; the wire format carries the host explicitly.
"""

from __future__ import annotations

from model.language import Role, event, function, message, relation
from model.language.quantifiers import exists, forall
from model.language.terms import Enumeration, Formula, Individual, Member, Number, implies


class Host(Individual):
    """A machine that runs pods, with one agent."""


class Pod(Individual):
    """An address in a VPC."""


class Vpc(Individual):
    """A tenant's network, isolated from the others."""


class Request(Individual):
    """Identifies a request among those of its host; used once."""


class Version(Number):
    """Counts the changes to a pod; 0 is before the first."""


class Epoch(Number):
    """Counts the starts of an agent; 0 is before the first."""


class Reason(Enumeration):
    """Why a request is refused. No reason means success."""

    not_your_source = Member("The source is not placed at the asking host.")
    other_vpc = Member("Source and destination are in different VPCs.")
    unknown = Member("NCM has no record of the destination.")
    gone = Member("The destination was removed.")


class Change(Enumeration):
    """The progress of a version."""

    none = Member("Not issued, or not yet known.")
    pending = Member("In progress: some host may still have to confirm it.")
    done = Member("Every host that had to confirm it has done so.")
    superseded = Member("A newer version was recorded first.")
    failed = Member("Abandoned: some host did not confirm it.")


class Record(Enumeration):
    """What NCM's record of a pod says."""

    unknown = Member("Nothing.")
    placed = Member("The host it is at.")
    gone = Member("It was removed.")


class Session(Enumeration):
    """The state of an agent's session with NCM."""

    starting = Member("NCM has not met the agent's epoch.")
    greeted = Member("NCM has met the agent's epoch.")


class Route(Enumeration):
    """The state of an agent's route to a pod."""

    unknown = Member("The agent knows no version of the pod.")
    asking = Member("A packet is held until NCM answers.")
    installed = Member("An answer installed the route.")
    evicted = Member("The agent knows a version, and no route is installed.")
    refused = Member("NCM refused, and the agent pauses before asking again.")


class Point(Enumeration):
    """Where a process crashes. Its steps are: take an input, store the effects, publish messages, acknowledge the input."""

    idle = Member("Between two inputs, or before it stored the effects of one.")
    stored = Member("After storing the effects of the last input, before publishing its messages.")
    published = Member("After publishing the messages, before acknowledging the input.")


DPM = Role("Decides where pods are, and numbers every change.")
NCM = Role("Keeps the record, and sends versions to the hosts concerned.")
ACA = Role("The agent on a host.", each=Host)
ADVERSARY = Role("A Byzantine agent: it sends anything that its channel permits.", each=Host, environment=True)

# ------------------------------------------------------------------------------------------------------ constants

vpc_of = function(Pod, to=Vpc, doc="The VPC that the pod is an address of.", kind="constant")
correct = relation(Host, doc="The host's agent follows the protocol.", kind="constant")

# ---------------------------------------------------------------------------------------------------------- state

latest = function(Pod, to=Version, doc="The newest version that DPM issued.", holder=DPM)
at = relation(
    Pod,
    Version,
    Host,
    doc="The version places the pod at the host. A version without a host: the pod is gone.",
    holder=DPM,
)
outcome = function(Pod, Version, to=Change, doc="The outcome of the version, as known to DPM.", holder=DPM)

recorded = function(Pod, to=Version, doc="The newest version that NCM has stored.", holder=NCM)
greeted = function(Host, to=Epoch, doc="The newest epoch of the host that NCM has met.", holder=NCM)
told = relation(Host, Pod, doc="NCM told the host of the pod, and sends it every newer version.", holder=NCM)
pending = relation(Pod, Version, Host, doc="The host has yet to confirm the version.", holder=NCM)
change = function(Pod, Version, to=Change, doc="The progress of the version.", holder=NCM)
removed = relation(Host, doc="The host was deregistered. It may return as another host.", holder=NCM)

epoch = function(Host, to=Epoch, doc="The number of times the agent has started.", holder=ACA)
known = function(Host, Pod, to=Version, doc="The newest version that the agent has seen in this epoch.", holder=ACA)
installed = relation(Host, Pod, doc="A route to the pod is installed.", holder=ACA)
waiting = relation(
    Host, Request, Pod, Pod, doc="A packet from the first pod to the second is held under the request.", holder=ACA
)
used = relation(Host, Request, doc="The request id is in use or was used.", holder=ACA)
paused = relation(
    Host,
    Pod,
    Pod,
    doc="The request was refused: the agent pauses before asking again for packets from the first pod to the second.",
    holder=ACA,
)

# -------------------------------------------------------------------------------------------------------- history

asked = relation(Host, Epoch, Pod, doc="The host asked for the pod in the epoch.", kind="history")
housed = relation(Host, Pod, doc="NCM's record places or placed the pod at the host.", kind="history")
member = relation(Host, Vpc, doc="NCM's record places or placed a pod of the VPC at the host.", kind="history")
must = relation(Pod, Version, Host, Epoch, doc="The host must confirm the version in that epoch.", kind="history")

# --------------------------------------------------------------------------------------------------------- events

delivered = event(Host, Pod, Pod, doc="A packet from the first pod to the second was sent without being held.")
released = event(Host, Request, Pod, Pod, doc="A held packet was sent.")
dropped = event(Host, Request, Pod, Pod, doc="A held packet was dropped.")

# ------------------------------------------------------------------------------------------------------- messages

_epoch_of = epoch  # an alias, since messages have a field called epoch


@message(sender=DPM, receiver=NCM)
def config(pod: Pod, version: Version) -> Formula:
    """The pod has a new version. Spent when NCM has stored the version or found it superseded."""
    return change(pod, version) != Change.none


@message(sender=NCM, receiver=DPM)
def report(pod: Pod, version: Version, result: Change) -> Formula:
    """The outcome of the version. Spent when DPM has received an outcome."""
    return outcome(pod, version) != Change.pending


@message(sender=ACA, receiver=NCM)
def hello(host: Host, epoch: Epoch) -> Formula:
    """The agent has started. Spent when NCM has met this epoch or a newer one."""
    return epoch <= greeted(host)


@message(sender=ACA, receiver=NCM, lasting=True)
def request(host: Host, epoch: Epoch, request: Request, source: Pod, destination: Pod) -> Formula:
    """Asks for the location of the destination while a packet from the source is held.

    Spent when NCM has met a newer epoch. An answer does not spend it: after a crash NCM may answer again, even differently.
    """
    return epoch < greeted(host)


@message(sender=ACA, receiver=NCM)
def applied(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Formula:
    """The agent knows this version. Spent when its epoch is over, or when no version up to it remains to be confirmed."""
    confirmed = forall(Version, lambda older: implies(older <= version, ~pending(pod, older, host)))
    return (epoch < greeted(host)) | (version <= recorded(pod)) & confirmed


@message(sender=NCM, receiver=ACA)
def route(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Formula:
    """The pod has this version. Spent when its epoch is over, or when the (correct) agent knows the version or a newer one."""
    return (
        (epoch < greeted(host))
        | correct(host) & (epoch < _epoch_of(host))
        | correct(host) & (version <= known(host, pod))
    )


@message(sender=NCM, receiver=ACA)
def granted(host: Host, epoch: Epoch, request: Request, pod: Pod, version: Version) -> Formula:
    """Grants the request: the pod has this version, and the version places it.

    Spent when its epoch is over, or when the (correct) agent knows the version or a newer one and holds no packet for the request.
    """
    held = exists(Pod, lambda source: waiting(host, request, source, pod))
    return (
        (epoch < greeted(host))
        | correct(host) & (epoch < _epoch_of(host))
        | correct(host) & (version <= known(host, pod)) & ~held
    )


@message(sender=NCM, receiver=ACA)
def refused(host: Host, epoch: Epoch, request: Request, reason: Reason) -> Formula:
    """Refuses the request. Spent when its epoch is over, or when the (correct) agent holds no packet for it."""
    held = exists(Pod, Pod, lambda source, destination: waiting(host, request, source, destination))
    return (epoch < greeted(host)) | correct(host) & (epoch < _epoch_of(host)) | correct(host) & ~held
