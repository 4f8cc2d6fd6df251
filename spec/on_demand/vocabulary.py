"""The words of the on-demand protocol: sorts, state and messages.

Telling every host about every pod does not scale. So a host learns where a remote pod is when one of its own pods first sends
to it: its agent (ACA) asks NCM, and NCM answers that host and no other. Three roles share the work.

- **DPM** decides where pods are. A pod is an address in a VPC, and its life is a sequence of *versions*: each says "at this
  host" or "gone", and never changes again. Creation, migration, removal and reuse of an address are thus one rule: newer wins.
- **NCM** keeps the record: the newest version it has seen of each pod, and whom it *told*. Whoever was told is told every newer
  version, until its agent restarts.
- An **ACA** runs on every host. What it has seen of a pod is a floor that only grows; a *route* to a remote pod is installed by
  an answer and evicted when idle. An agent that restarts begins a new *epoch* and knows nothing.

Messages arrive at least once, in any order, possibly late: once sent, a message stays available. Naming a version is naming
its place, since `at` never changes; on a wire the place travels along.
"""

from __future__ import annotations

from model.language import Role, event, function, message, relation
from model.language.terms import Enumeration, Formula, Individual, Member, Number, exists, forall, implies


class Host(Individual):
    """A machine that runs pods, with one agent."""


class Pod(Individual):
    """An address in a VPC."""


class Vpc(Individual):
    """A tenant's network. What happens in it is no business of the others."""


class Request(Individual):
    """What tells one question of a host from its others; used once."""


class Version(Number):
    """Counts the changes to a pod; 0 is before the first."""


class Epoch(Number):
    """Counts the starts of an agent; 0 is before the first."""


class Reason(Enumeration):
    """Why a request is refused. There is no member that consents."""

    not_your_source = Member("The source is not placed at the asking host.")
    other_vpc = Member("Source and destination are in different VPCs.")
    unknown = Member("NCM has no record of the destination.")
    gone = Member("The destination was removed.")


class Change(Enumeration):
    """What became of a version."""

    none = Member("Not issued, or not heard of.")
    pending = Member("Under way: somebody may still have to confirm it.")
    done = Member("Every host that had to confirm it did.")
    superseded = Member("A newer version was recorded first.")
    failed = Member("Given up: some host did not confirm it.")


class Record(Enumeration):
    """What NCM can say of a pod."""

    unknown = Member("Nothing.")
    placed = Member("Where it is.")
    gone = Member("That it was removed.")


class Session(Enumeration):
    """How an agent stands with NCM."""

    starting = Member("NCM has not met the agent's epoch.")
    greeted = Member("NCM has met the agent's epoch.")


class Route(Enumeration):
    """How an agent stands to a pod."""

    unknown = Member("It has seen nothing of the pod.")
    asking = Member("A packet is held until NCM answers.")
    installed = Member("An answer installed the route.")
    evicted = Member("A version is known, and no route is installed.")
    refused = Member("NCM refused, and the agent does not ask again before a pause.")


class Point(Enumeration):
    """Where in its work a process crashes. An input is taken, its effects stored, messages published, the input acknowledged."""

    idle = Member("Between two inputs, or before it stored anything.")
    stored = Member("After the effects of the last input were stored, before its messages were published.")
    published = Member("After the messages were published, before the input was acknowledged.")


DPM = Role("Decides where pods are, and numbers every change.")
NCM = Role("Keeps the record, and tells whom it concerns.")
ACA = Role("The agent on a host.", each=Host)
ADVERSARY = Role("A Byzantine agent: it sends what its channel lets it.", each=Host)

# ------------------------------------------------------------------------------------------------------ constants

vpc_of = function(Pod, to=Vpc, doc="The VPC that the pod is an address of.", kind="constant")
correct = relation(Host, doc="The host's agent follows the protocol.", kind="constant")

# ---------------------------------------------------------------------------------------------------------- state

latest = function(Pod, to=Version, doc="The newest version that DPM issued.", holder=DPM)
at = relation(Pod, Version, Host, doc="This version says: the pod is at this host. No host at all: gone.", holder=DPM)
outcome = function(Pod, Version, to=Change, doc="What became of the version, as far as DPM heard.", holder=DPM)

recorded = function(Pod, to=Version, doc="The newest version that NCM has stored.", holder=NCM)
greeted = function(Host, to=Epoch, doc="The newest epoch of the host that NCM has met.", holder=NCM)
told = relation(Host, Pod, doc="NCM told the host of the pod, and tells it every newer version.", holder=NCM)
pending = relation(Pod, Version, Host, doc="The host has yet to confirm the version.", holder=NCM)
change = function(Pod, Version, to=Change, doc="What became of the version.", holder=NCM)
removed = relation(Host, doc="The host was deregistered; as another host it may come back.", holder=NCM)

epoch = function(Host, to=Epoch, doc="How often the agent has started.", holder=ACA)
known = function(Host, Pod, to=Version, doc="The newest version that the agent has seen in this epoch.", holder=ACA)
installed = relation(Host, Pod, doc="A route to the pod is installed.", holder=ACA)
waiting = relation(
    Host, Request, Pod, Pod, doc="A packet from the first pod to the second is held under the request.", holder=ACA
)
used = relation(Host, Request, doc="The request's id is taken.", holder=ACA)
paused = relation(
    Host, Pod, Pod, doc="Refused: packets from the first pod to the second are not asked for now.", holder=ACA
)

# -------------------------------------------------------------------------------------------------------- history

asked = relation(Host, Epoch, Pod, doc="The host asked for the pod in the epoch.", kind="history")
housed = relation(Host, Pod, doc="By NCM's record the host is or was the pod's home.", kind="history")
member = relation(Host, Vpc, doc="By NCM's record the host houses or housed a pod of the VPC.", kind="history")
must = relation(Pod, Version, Host, Epoch, doc="The host, in that epoch, was to confirm the version.", kind="history")

# --------------------------------------------------------------------------------------------------------- events

delivered = event(Host, Pod, Pod, doc="A packet from the first pod went straight to the second.")
released = event(Host, Request, Pod, Pod, doc="A held packet went on its way.")
dropped = event(Host, Request, Pod, Pod, doc="A held packet was given up.")

# ------------------------------------------------------------------------------------------------------- messages

_epoch_of = epoch  # under another name, since messages have a field called epoch


@message(sender=DPM, receiver=NCM)
def config(pod: Pod, version: Version) -> Formula:
    """The pod has a new version. Spent when NCM has stored it, or found that it comes too late."""
    return change(pod, version) != Change.none


@message(sender=NCM, receiver=DPM)
def report(pod: Pod, version: Version, result: Change) -> Formula:
    """What became of the version. Spent when DPM has heard of it."""
    return outcome(pod, version) != Change.pending


@message(sender=ACA, receiver=NCM)
def hello(host: Host, epoch: Epoch) -> Formula:
    """The agent has started. Spent when NCM has met this epoch or a newer one."""
    return epoch <= greeted(host)


@message(sender=ACA, receiver=NCM, lasting=True)
def request(host: Host, epoch: Epoch, request: Request, source: Pod, destination: Pod) -> Formula:
    """Where is the destination? A packet from the source waits for it.

    Spent when NCM has met a newer epoch. An answer does not spend it: after a crash NCM may answer again, even differently.
    """
    return epoch < greeted(host)


@message(sender=ACA, receiver=NCM)
def applied(host: Host, epoch: Epoch, pod: Pod, version: Version) -> Formula:
    """The agent knows this version. Spent when its epoch is over, or when no version up to it has to be confirmed any more."""
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
    """The answer to the request: the pod has this version, and the version has a place.

    Spent when its epoch is over, or when the (correct) agent knows the version or a newer one and holds no packet for it.
    """
    held = exists(Pod, lambda source: waiting(host, request, source, pod))
    return (
        (epoch < greeted(host))
        | correct(host) & (epoch < _epoch_of(host))
        | correct(host) & (version <= known(host, pod)) & ~held
    )


@message(sender=NCM, receiver=ACA)
def refused(host: Host, epoch: Epoch, request: Request, reason: Reason) -> Formula:
    """The answer to the request: no. Spent when its epoch is over, or when the (correct) agent holds no packet for it."""
    held = exists(Pod, Pod, lambda source, destination: waiting(host, request, source, destination))
    return (epoch < greeted(host)) | correct(host) & (epoch < _epoch_of(host)) | correct(host) & ~held
