"""The actions of instances, the broker and the peer."""

from __future__ import annotations

from model.language import Change, Move, Step, action, definition, for_each, lifecycle
from model.language.quantifiers import exists
from model.language.terms import Formula, choose
from spec.failover.vocabulary import (
    BROKER,
    INSTANCE,
    PEER,
    Decision,
    Instance,
    Journal,
    Standing,
    Term,
    Version,
    answer,
    answered,
    append,
    applied,
    consumed,
    entry,
    fence,
    fenced_at,
    in_term,
    lapsed,
    loaded,
    mark,
    newest,
    noted,
    paused,
    proposed,
    published,
    ready,
    sent,
    took,
    written,
)

NO_TERM = Term.of(0)
NOTHING = Version.of(0)


@lifecycle(holder=INSTANCE)
def standing(instance: Instance, journal: Journal) -> Standing:
    """The standing of an instance for a journal, as seen by a global observer; a deposed instance cannot tell that it is."""
    believes = in_term(instance, journal)
    return choose(
        believes == NO_TERM,
        Standing.standby,
        choose(
            believes < fence(journal),
            Standing.deposed,
            choose(ready(instance, journal), Standing.leading, Standing.loading),
        ),
    )


@definition
def leads(instance: Instance, journal: Journal) -> Formula:
    """The instance has the newest term, and was not silent long enough for others to notice."""
    newest_term = (in_term(instance, journal) == fence(journal)) & (NO_TERM < fence(journal))
    return newest_term & ~lapsed(instance, journal)


@definition
def decides(instance: Instance, journal: Journal) -> Formula:
    """The instance is awake, and believes that it leads and has read the journal. This is all that it can know."""
    return ready(instance, journal) & ~paused(instance)


# ----------------------------------------------------------------------------------------------------- take over


def taking_over(instance: Instance, journal: Journal, term: Term) -> list[Change]:
    """The broker fences older terms, and the instance starts over: it has read nothing in this term, and has sent nothing."""
    return [
        fence.assign(journal, to=term),
        fenced_at.assign(journal, term, to=newest(journal)),
        took.add(instance, journal, term),
        in_term.assign(instance, journal, to=term),
        lapsed.remove(instance, journal),
        ready.remove(instance, journal),
        for_each(Version, lambda version: sent.remove(instance, journal, version)),
    ]


def taking_over_moves(instance: Instance, journal: Journal) -> list[Move]:
    """The instance gains the newest term, and the instance that had it loses it."""
    return [
        for_each(
            Instance,
            lambda other: standing.move(
                other, journal, source=[Standing.loading, Standing.leading], to=[Standing.deposed]
            ).when(other != instance),
        ),
        standing.move(
            instance, journal, source=[Standing.standby, Standing.leading, Standing.deposed], to=[Standing.loading]
        ),
    ]


@action(by=INSTANCE, fair=True)
def take_over(instance: Instance, journal: Journal, term: Term) -> Step:
    """No live leader is known, and the instance takes over."""
    return Step(
        when=[
            ~paused(instance),
            term == fence(journal) + 1,
            ~exists(Instance, lambda other: leads(other, journal)),
        ],
        then=taking_over(instance, journal, term),
        moves=taking_over_moves(instance, journal),
    )


@action(by=INSTANCE)
def depose(instance: Instance, journal: Journal, term: Term) -> Step:
    """The instance takes over from a leader that only seems to be gone."""
    return Step(
        when=[
            ~paused(instance),
            term == fence(journal) + 1,
            exists(Instance, lambda other: leads(other, journal)),
            ~leads(instance, journal),
        ],
        then=taking_over(instance, journal, term),
        moves=taking_over_moves(instance, journal),
    )


@action(by=INSTANCE, fair=True)
def load(instance: Instance, journal: Journal) -> Step:
    """After the fence the instance reads the whole journal, and decides from then on."""
    return Step(
        when=[~paused(instance), NO_TERM < in_term(instance, journal), ~ready(instance, journal)],
        then=[
            ready.add(instance, journal),
            loaded.assign(instance, journal, to=newest(journal)),
            proposed.assign(instance, journal, to=newest(journal)),
        ],
        moves=[standing.move(instance, journal, source=[Standing.loading], to=[Standing.leading])],
    )


@action(by=INSTANCE, fair=True)
def read(instance: Instance, journal: Journal) -> Step:
    """Any instance may read further in the journal: a leader finds its own entries there, and a standby keeps up."""
    return Step(
        when=[~paused(instance), loaded(instance, journal) < newest(journal)],
        then=[loaded.assign(instance, journal, to=newest(journal))],
    )


# -------------------------------------------------------------------------------------------------------- decide


@action(by=INSTANCE)
def propose(instance: Instance, journal: Journal, decision: Decision) -> Step:
    """The instance decides: it allocates the next version, once it has read its last one in the journal."""
    version = loaded(instance, journal) + 1
    return Step(
        when=[decides(instance, journal), proposed(instance, journal) == loaded(instance, journal)],
        then=[
            proposed.assign(instance, journal, to=version),
            append.send(instance, journal, in_term(instance, journal), version, decision),
        ],
    )


@action(by=BROKER, fair=True)
def accept(instance: Instance, journal: Journal, term: Term, version: Version, decision: Decision) -> Step:
    """The broker appends an entry of the newest term. It does not check versions: they are the writer's responsibility."""
    return Step(
        takes=[append(instance, journal, term, version, decision)],
        when=[term == fence(journal), ~entry(journal, version, decision)],
        then=[
            entry.add(journal, version, decision),
            newest.assign(journal, to=version),
            written.assign(journal, version, to=term),
        ],
    )


@action(by=INSTANCE, fair=True)
def publish(instance: Instance, journal: Journal, version: Version, decision: Decision) -> Step:
    """The instance sends the entries that it has read in the journal, its own and its predecessors'."""
    return Step(
        when=[
            decides(instance, journal),
            entry(journal, version, decision),
            version <= loaded(instance, journal),
            ~sent(instance, journal, version),
        ],
        then=[sent.add(instance, journal, version), published.send(journal, version, decision)],
    )


# -------------------------------------------------------------------------------------------------------- answers


@action(by=PEER, fair=True)
def apply(journal: Journal, version: Version, decision: Decision) -> Step:
    """The peer applies a decision, and answers."""
    return Step(
        takes=[published(journal, version, decision)],
        when=[~applied(journal, version, decision)],
        then=[applied.add(journal, version, decision), answer.send(journal, version)],
    )


@action(by=INSTANCE, fair=True)
def hear(instance: Instance, journal: Journal, version: Version) -> Step:
    """An instance that believes that it leads has the answer recorded. One that knows that it does not leaves it to others."""
    return Step(
        takes=[answer(journal, version)],
        when=[decides(instance, journal), ~consumed(journal, version), ~answered(journal, version)],
        then=[mark.send(instance, journal, in_term(instance, journal), version)],
    )


@action(by=BROKER, fair=True)
def record(instance: Instance, journal: Journal, term: Term, version: Version) -> Step:
    """The broker records, in the newest term, that the version was answered."""
    return Step(
        takes=[mark(instance, journal, term, version)],
        when=[term == fence(journal), ~answered(journal, version)],
        then=[answered.add(journal, version)],
        emits=[noted(journal, version, term)],
    )


@action(by=INSTANCE, fair=True)
def acknowledge(instance: Instance, journal: Journal, version: Version) -> Step:
    """An instance that finds the answer in the journal acknowledges it at the broker."""
    return Step(
        takes=[answer(journal, version)],
        when=[~paused(instance), answered(journal, version), ~consumed(journal, version)],
        then=[consumed.add(journal, version)],
    )


# ------------------------------------------------------------------------------------------------------- failures


@action(by=INSTANCE)
def pause(instance: Instance) -> Step:
    """The instance pauses, for as long as others need to take over, or longer."""
    return Step(
        when=[~paused(instance)],
        then=[paused.add(instance), for_each(Journal, lambda journal: lapsed.add(instance, journal))],
    )


@action(by=INSTANCE)
def wake(instance: Instance) -> Step:
    """The instance resumes in the same state, with the same beliefs."""
    return Step(when=[paused(instance)], then=[paused.remove(instance)])


@action(by=INSTANCE)
def crash(instance: Instance) -> Step:
    """The instance restarts: it is a standby, and has read nothing."""
    return Step(
        then=[
            for_each(Journal, lambda journal: in_term.assign(instance, journal, to=NO_TERM)),
            for_each(Journal, lambda journal: ready.remove(instance, journal)),
            for_each(Journal, lambda journal: loaded.assign(instance, journal, to=NOTHING)),
            for_each(Journal, lambda journal: proposed.assign(instance, journal, to=NOTHING)),
            for_each(Journal, Version, lambda journal, version: sent.remove(instance, journal, version)),
            paused.remove(instance),
        ],
        moves=[
            for_each(
                Journal,
                lambda journal: standing.move(
                    instance,
                    journal,
                    source=[Standing.loading, Standing.leading, Standing.deposed],
                    to=[Standing.standby],
                ),
            )
        ],
    )
