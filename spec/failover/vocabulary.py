"""The words of the failover protocol: who decides.

Several instances of a role may run (two NCMs, two DPMs), and one of them decides at a time: for each VPC, or whatever else keeps
a *journal*. A journal is a topic of the broker to which one writer appends what it decides. All else follows from four rules.

- **Fenced.** Who takes over is given a new *term* by the broker, and from then on the broker refuses whatever is appended in an
  older one. An instance that was paused and wakes up may believe for ever that it leads: what it appends changes nothing.
- **Load after the fence, not before.** Only then can nothing be appended that the new writer has not read. It counts on from
  the newest version it has read, so versions have one allocator although each instance counts for itself.
- **Record, then send.** An instance sends what it has read in the journal, never what it has only decided. Who takes over sends
  all of it again, since nobody knows what the one before it got to send; versions make repeats harmless.
- **Record, then acknowledge.** An answer is acknowledged at the broker once the journal says that it came. Whoever may hear it,
  it counts only when one who leads has recorded it; until then it comes again.

Left out: how an instance finds out that another is gone. It may be wrong about that at any time, and no promise about states or
steps depends on it; who stands still, even for a moment, is noticed some time, and that is what progress depends on. And what
is decided, since that is the business of the protocol whose role this is.
"""

from __future__ import annotations

from model.language import Role, event, function, message, relation
from model.language.terms import Enumeration, Formula, Individual, Member, Number


class Instance(Individual):
    """A process of the role; one of them decides."""


class Journal(Individual):
    """What one writer at a time appends to: for each role and VPC there is one."""


class Decision(Individual):
    """What can be decided; the content of an entry."""


class Version(Number):
    """Counts the entries of a journal; 0 is before the first."""


class Term(Number):
    """Counts the take-overs of a journal; 0 is before the first."""


class Standing(Enumeration):
    """How an instance stands to a journal."""

    standby = Member("It does not believe that it leads.")
    loading = Member("It has the newest term, and has yet to read the journal.")
    leading = Member("It has the newest term, and decides.")
    deposed = Member("It believes that it leads, and another has a newer term.")


INSTANCE = Role("Decides, while it leads.", each=Instance)
BROKER = Role("Keeps the journals, gives out terms, and refuses entries of older ones.")
PEER = Role("Is told what was decided, applies it, and answers.")

# ---------------------------------------------------------------------------------------------------------- state

fence = function(Journal, to=Term, doc="The newest term that was given out.", holder=BROKER)
newest = function(Journal, to=Version, doc="The version of the newest entry.", holder=BROKER)
entry = relation(Journal, Version, Decision, doc="The journal has this entry.", holder=BROKER)
answered = relation(Journal, Version, doc="The journal says that the version was answered.", holder=BROKER)
consumed = relation(Journal, Version, doc="The answer was acknowledged: nobody is given it again.", holder=BROKER)

in_term = function(
    Instance,
    Journal,
    to=Term,
    doc="The term in which the instance believes that it leads; 0: it does not.",
    holder=INSTANCE,
)
ready = relation(Instance, Journal, doc="It has read the journal since it took over.", holder=INSTANCE)
loaded = function(Instance, Journal, to=Version, doc="It has read the journal up to this version.", holder=INSTANCE)
proposed = function(Instance, Journal, to=Version, doc="The newest version that it has allocated.", holder=INSTANCE)
sent = relation(Instance, Journal, Version, doc="It has sent the entry since it took over.", holder=INSTANCE)
paused = relation(Instance, doc="It does nothing, and will not know that it did nothing.", holder=INSTANCE)

lapsed = relation(
    Instance,
    Journal,
    doc="It was silent for so long that others noticed; it holds until it takes over anew.",
    holder=BROKER,
)

applied = relation(Journal, Version, Decision, doc="The peer was told, and has done it.", holder=PEER)

# -------------------------------------------------------------------------------------------------------- history

took = relation(Instance, Journal, Term, doc="The term was given to the instance.", kind="history")
written = function(Journal, Version, to=Term, doc="The term in which the entry was appended.", kind="history")
fenced_at = function(Journal, Term, to=Version, doc="The newest version when the term was given out.", kind="history")

# --------------------------------------------------------------------------------------------------------- events

noted = event(Journal, Version, Term, doc="In this term the journal was told that the version was answered.")

# ------------------------------------------------------------------------------------------------------- messages


@message(sender=INSTANCE, receiver=BROKER)
def append(instance: Instance, journal: Journal, term: Term, version: Version, decision: Decision) -> Formula:
    """An entry for the journal. Spent when it is there, or when the term is not the newest any more."""
    return (term < fence(journal)) | entry(journal, version, decision)


@message(sender=INSTANCE, receiver=BROKER)
def mark(instance: Instance, journal: Journal, term: Term, version: Version) -> Formula:
    """For the journal: the version was answered. Spent when the journal says so, or when the term is not the newest any more."""
    return (term < fence(journal)) | answered(journal, version)


@message(sender=INSTANCE, receiver=PEER)
def published(journal: Journal, version: Version, decision: Decision) -> Formula:
    """This was decided. Spent when the peer has done it."""
    return applied(journal, version, decision)


@message(sender=PEER, receiver=INSTANCE, lasting=True)
def answer(journal: Journal, version: Version) -> Formula:
    """The peer has done it. Spent when it was acknowledged: until then any instance may be given it, and again."""
    return consumed(journal, version)
