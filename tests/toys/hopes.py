"""Toy protocols whose eventualities can be decided by hand: one idea each, a handful of states."""

from __future__ import annotations

from types import ModuleType

from model.language import Declaration, Protocol, Role, Step, action, eventually, function, leads_to, relation
from model.language.claims import LeadsTo
from model.language.terms import Formula, Individual, Number, Value
from model.reference.configuration import Configuration


class Thing(Individual):
    """A subject of the protocol's actions."""


class Count(Number):
    """How often something happened."""


SOMEBODY = Role("The only role.")

WORLD = Configuration("hopes", {"Thing": ("t1", "t2")}, {"Count": 2}, {})
ONE = Configuration("hope", {"Thing": ("t1",)}, {"Count": 2}, {})


def protocol(name: str, **declared: Declaration | type[Value]) -> Protocol:
    """A protocol with these declarations."""
    module = ModuleType(name)
    for key, value in {"Thing": Thing, "Count": Count, "SOMEBODY": SOMEBODY, **declared}.items():
        setattr(module, key, value)
    return Protocol.of(name, module)


def one_step(*, fair: bool) -> Protocol:
    """Something must be done, and can be done at any time."""
    done = relation(Thing, doc="It is done.", holder=SOMEBODY)

    @action(by=SOMEBODY, fair=fair)
    def do(thing: Thing) -> Step:
        """It is done."""
        return Step(when=[~done(thing)], then=[done.add(thing)])

    @eventually()
    def gets_done(thing: Thing) -> LeadsTo:
        """Everything is eventually done."""
        return leads_to(~done(thing), done(thing))

    return protocol("one step", done=done, do=do, gets_done=gets_done)


def self_loop_only() -> Protocol:
    """A fair action is always enabled, and changes nothing."""
    done = relation(Thing, doc="It is done.", holder=SOMEBODY)

    @action(by=SOMEBODY, fair=True)
    def spin(thing: Thing) -> Step:
        """An undone thing stays undone."""
        return Step(when=[~done(thing)], then=[done.remove(thing)])

    @action(by=SOMEBODY)
    def do(thing: Thing) -> Step:
        """It is done; the action is not fair."""
        return Step(when=[~done(thing)], then=[done.add(thing)])

    @eventually()
    def gets_done(thing: Thing) -> LeadsTo:
        """Everything is eventually done."""
        return leads_to(~done(thing), done(thing))

    return protocol("self-loop", done=done, spin=spin, do=do, gets_done=gets_done)


def door(*, closes: bool) -> Protocol:
    """A door that repeatedly opens and possibly closes; one can pass while it is open."""
    is_open = relation(Thing, doc="The door is open.", holder=SOMEBODY)
    through = relation(Thing, doc="It passed through the door.", holder=SOMEBODY)

    @action(by=SOMEBODY, fair=True)
    def open_it(thing: Thing) -> Step:
        """The door opens."""
        return Step(when=[~is_open(thing)], then=[is_open.add(thing)])

    @action(by=SOMEBODY, fair=True)
    def close_it(thing: Thing) -> Step:
        """The door closes."""
        return Step(when=[is_open(thing)], then=[is_open.remove(thing)])

    @action(by=SOMEBODY, fair=True)
    def go(thing: Thing) -> Step:
        """It passes through the door."""
        return Step(when=[is_open(thing), ~through(thing)], then=[through.add(thing)])

    @eventually()
    def gets_through(thing: Thing) -> LeadsTo:
        """Everything eventually passes through the door."""
        return leads_to(~through(thing), through(thing))

    more = {"close_it": close_it} if closes else {}
    return protocol("door", is_open=is_open, through=through, open_it=open_it, go=go, gets_through=gets_through, **more)


def sleeper(*, atomic: bool) -> Protocol:
    """A sleeper looks for a signal, and goes to sleep if there is none: at once, or a moment later."""
    looked = relation(Thing, doc="It has looked, and saw no signal.", holder=SOMEBODY)
    asleep = relation(Thing, doc="It sleeps.", holder=SOMEBODY)
    signalled = relation(Thing, doc="The signal was given.", holder=SOMEBODY)
    awake = relation(Thing, doc="It saw the signal, or was woken.", holder=SOMEBODY)

    @action(by=SOMEBODY, fair=True)
    def look(thing: Thing) -> Step:
        """It looks: there is no signal yet."""
        idle = [~signalled(thing), ~looked(thing), ~asleep(thing), ~awake(thing)]
        return Step(when=idle, then=[asleep.add(thing) if atomic else looked.add(thing)])

    @action(by=SOMEBODY, fair=True)
    def fall_asleep(thing: Thing) -> Step:
        """It goes to sleep, as decided."""
        return Step(when=[looked(thing)], then=[looked.remove(thing), asleep.add(thing)])

    @action(by=SOMEBODY, fair=True)
    def signal(thing: Thing) -> Step:
        """The signal is given, and wakes the sleeper."""
        wakes = [asleep.remove(thing).when(asleep(thing)), awake.assign(thing, to=awake(thing) | asleep(thing))]
        return Step(when=[~signalled(thing)], then=[signalled.add(thing), *wakes])

    @action(by=SOMEBODY, fair=True)
    def see(thing: Thing) -> Step:
        """It looks, and the signal is there."""
        idle = [signalled(thing), ~looked(thing), ~asleep(thing), ~awake(thing)]
        return Step(when=idle, then=[awake.add(thing)])

    @eventually()
    def wakes_up(thing: Thing) -> LeadsTo:
        """A sleeper eventually wakes up."""
        return leads_to(asleep(thing), awake(thing))

    symbols = {"looked": looked, "asleep": asleep, "signalled": signalled, "awake": awake}
    return protocol("sleeper", **symbols, look=look, fall_asleep=fall_asleep, signal=signal, see=see, wakes_up=wakes_up)


def queue() -> Protocol:
    """Things request service repeatedly, and are served one after the other."""
    wants = relation(Thing, doc="It waits to be served.", holder=SOMEBODY)

    @action(by=SOMEBODY)
    def want(thing: Thing) -> Step:
        """It requests service, the first time or again."""
        return Step(when=[~wants(thing)], then=[wants.add(thing)])

    @action(by=SOMEBODY, fair=True)
    def serve(thing: Thing) -> Step:
        """It is served."""
        return Step(when=[wants(thing)], then=[wants.remove(thing)])

    @eventually()
    def is_served(thing: Thing) -> LeadsTo:
        """Everything that waits is eventually served."""
        return leads_to(wants(thing), ~wants(thing))

    return protocol("queue", wants=wants, want=want, serve=serve, is_served=is_served)


def counter(*, resets: bool) -> Protocol:
    """A counter counts to 2, or restarts from 1."""
    count = function(Thing, to=Count, doc="The current count.", holder=SOMEBODY)
    seen = relation(Thing, doc="It was seen to count; no claim reads this.", holder=SOMEBODY)

    @action(by=SOMEBODY, fair=True)
    def step(thing: Thing) -> Step:
        """It counts, up to the configuration's bound."""
        return Step(then=[count.assign(thing, to=count(thing) + 1), seen.add(thing)])

    @action(by=SOMEBODY)
    def reset(thing: Thing) -> Step:
        """It restarts."""
        return Step(when=[count(thing) == Count.of(1)], then=[count.assign(thing, to=Count.of(0))])

    def reached(thing: Thing) -> Formula:
        return count(thing) == Count.of(2)

    @eventually()
    def gets_there(thing: Thing) -> LeadsTo:
        """A counter that has started eventually reaches 2."""
        return leads_to(count(thing) == Count.of(1), reached(thing))

    more = {"reset": reset} if resets else {}
    return protocol("counter", count=count, seen=seen, step=step, gets_there=gets_there, **more)


def blinker() -> Protocol:
    """Something blinks forever, which no claim reads, while something else must be done and is not."""
    lit = relation(Thing, doc="It is lit; no claim reads this.", holder=SOMEBODY)
    turned = relation(Thing, doc="It is turned.", holder=SOMEBODY)
    done = relation(Thing, doc="It is done.", holder=SOMEBODY)

    @action(by=SOMEBODY, fair=True)
    def blink(thing: Thing) -> Step:
        """It goes on or off."""
        return Step(then=[lit.assign(thing, to=~lit(thing))])

    @action(by=SOMEBODY, fair=True)
    def turn(thing: Thing) -> Step:
        """It turns one way or back."""
        return Step(then=[turned.assign(thing, to=~turned(thing))])

    @eventually()
    def gets_done(thing: Thing) -> LeadsTo:
        """What is turned is eventually done."""
        return leads_to(turned(thing), done(thing))

    return protocol("blinker", lit=lit, turned=turned, done=done, blink=blink, turn=turn, gets_done=gets_done)
