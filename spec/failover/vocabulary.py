"""The vocabulary of the failover protocol: which instance decides.

Several instances of a role may run (two NCMs, two DPMs), and one of them decides at a time, for each VPC or any other unit with its
own *journal*. A journal is a topic of the broker to which one writer appends its decisions. Everything else follows from four
rules.

- **Fence.** An instance that takes over is given a new *term* by the broker, and from then on the broker refuses appends in older
  terms. An instance that was paused and wakes up may believe forever that it leads: its appends have no effect.
- **Load after the fence, not before.** Only then can no entry be appended that the new writer has not read. It continues from the
  newest version that it has read, so versions have one allocator although each instance counts for itself.
- **Record, then send.** An instance sends what it has read in the journal, never what it has only decided. An instance that takes
  over sends all entries again, since it cannot know what its predecessor sent; versions make duplicates harmless.
- **Record, then acknowledge.** An answer is acknowledged at the broker once the journal records it. Whichever instance receives it,
  it counts only once a leader has recorded it; until then it is redelivered.

Left out: failure detection. It may be wrong at any time, and no promise about states or steps depends on it. An instance that
pauses, even briefly, may eventually be noticed; only progress depends on that. Also left out is the content of decisions, which
belongs to the protocol whose role this is.
"""

from __future__ import annotations

from model.language import Role, event, function, message, relation
from model.language.terms import Enumeration, Formula, Individual, Member, Number


class Instance(Individual):
    """A process of the role; one of them decides."""


class Journal(Individual):
    """What one writer at a time appends to; one for each role and VPC."""


class Decision(Individual):
    """What can be decided; the content of an entry."""


class Version(Number):
    """Counts the entries of a journal; 0 is before the first."""


class Term(Number):
    """Counts the takeovers of a journal; 0 is before the first."""


class Standing(Enumeration):
    """The standing of an instance for a journal."""

    standby = Member("It does not believe that it leads.")
    loading = Member("It has the newest term, and has yet to read the journal.")
    leading = Member("It has the newest term, and decides.")
    deposed = Member("It believes that it leads, and another has a newer term.")


INSTANCE = Role("Decides, while it leads.", each=Instance)
BROKER = Role("Keeps the journals, gives out terms, and refuses entries of older terms.")
PEER = Role("Receives decisions, applies them, and answers.")

# ---------------------------------------------------------------------------------------------------------- state

fence = function(Journal, to=Term, doc="The newest term that was given out.", holder=BROKER)
newest = function(Journal, to=Version, doc="The version of the newest entry.", holder=BROKER)
entry = relation(Journal, Version, Decision, doc="The journal has this entry.", holder=BROKER)
answered = relation(Journal, Version, doc="The journal records that the version was answered.", holder=BROKER)
consumed = relation(Journal, Version, doc="The answer was acknowledged: it is not redelivered.", holder=BROKER)

in_term = function(
    Instance,
    Journal,
    to=Term,
    doc="The term in which the instance believes that it leads; 0: none.",
    holder=INSTANCE,
)
ready = relation(Instance, Journal, doc="The instance has read the journal since it took over.", holder=INSTANCE)
loaded = function(
    Instance, Journal, to=Version, doc="The instance has read the journal up to this version.", holder=INSTANCE
)
proposed = function(
    Instance, Journal, to=Version, doc="The newest version that the instance has allocated.", holder=INSTANCE
)
sent = relation(Instance, Journal, Version, doc="The instance has sent the entry since it took over.", holder=INSTANCE)
paused = relation(Instance, doc="The instance does nothing, and will not notice that it did nothing.", holder=INSTANCE)

lapsed = relation(
    Instance,
    Journal,
    doc="The instance was silent for so long that others noticed; holds until it takes over again.",
    holder=BROKER,
)

applied = relation(Journal, Version, Decision, doc="The peer was sent the decision, and has done it.", holder=PEER)

# -------------------------------------------------------------------------------------------------------- history

took = relation(Instance, Journal, Term, doc="The term was given to the instance.", kind="history")
written = function(Journal, Version, to=Term, doc="The term in which the entry was appended.", kind="history")
fenced_at = function(Journal, Term, to=Version, doc="The newest version when the term was given out.", kind="history")

# --------------------------------------------------------------------------------------------------------- events

noted = event(Journal, Version, Term, doc="In this term the journal recorded that the version was answered.")

# ------------------------------------------------------------------------------------------------------- messages


@message(sender=INSTANCE, receiver=BROKER)
def append(instance: Instance, journal: Journal, term: Term, version: Version, decision: Decision) -> Formula:
    """An entry for the journal. Spent when it is in the journal, or when its term is not the newest any more."""
    return (term < fence(journal)) | entry(journal, version, decision)


@message(sender=INSTANCE, receiver=BROKER)
def mark(instance: Instance, journal: Journal, term: Term, version: Version) -> Formula:
    """For the journal: the version was answered. Spent when the journal records it, or when the term is not the newest any more."""
    return (term < fence(journal)) | answered(journal, version)


@message(sender=INSTANCE, receiver=PEER)
def published(journal: Journal, version: Version, decision: Decision) -> Formula:
    """A decision. Spent when the peer has done it."""
    return applied(journal, version, decision)


@message(sender=PEER, receiver=INSTANCE, lasting=True)
def answer(journal: Journal, version: Version) -> Formula:
    """The peer has done it. Spent when it was acknowledged: until then any instance may receive it, repeatedly."""
    return consumed(journal, version)
