"""Everything that a module declares is part of the protocol, or refused with its place: nothing vanishes in silence."""

from __future__ import annotations

import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from model.language import Protocol
from model.language.terms import Enumeration, Member

OPENING = '''
from model.language import Role, Step, action, always, function, relation, sometimes, definition, eventually, leads_to
from model.language.quantifiers import forall
from model.language.terms import Formula, Individual, Number

class Thing(Individual):
    """A thing."""

KEEPER = Role("Keeps things.")
chosen = relation(Thing, doc="It is chosen.", holder=KEEPER)

@action(by=KEEPER)
def take(thing: Thing) -> Step:
    """A thing is taken."""
    return Step(when=[~chosen(thing)], then=[chosen.add(thing)])
'''


def module(text: str, tmp_path: Path, name: str = "stated") -> ModuleType:
    """A module with this text behind the opening."""
    file = tmp_path / f"{name}.py"
    file.write_text(OPENING + textwrap.dedent(text), encoding="utf-8")
    made = ModuleType(name)
    made.__file__ = str(file)
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), made.__dict__)  # noqa: S102 # the text is ours
    return made


REFUSED = {
    "a private action": (
        """
        @action(by=KEEPER)
        def _put_back(thing: Thing) -> Step:
            \"\"\"It is put back.\"\"\"
            return Step(when=[chosen(thing)], then=[chosen.remove(thing)])
        """,
        r"stated\.py, line 18: _put_back: the name of a declaration begins with a letter",
    ),
    "a private relation": (
        '_seen = relation(Thing, doc="It was seen.", holder=KEEPER)',
        r"stated\.py, line 16: _seen: the name of a declaration begins with a letter",
    ),
    "a private sort": (
        'class _Hidden(Individual):\n    """Nobody sees it."""',
        r"stated\.py, line 16: _Hidden: the name of a declaration begins with a letter",
    ),
    "a second action of one name": (
        """
        @action(by=KEEPER)
        def take(thing: Thing) -> Step:
            \"\"\"Another one.\"\"\"
            return Step(when=[chosen(thing)], then=[chosen.remove(thing)])
        """,
        r"stated\.py, line 17: take is declared twice in this module",
    ),
    "an action that takes the name of a relation": (
        """
        @action(by=KEEPER)
        def chosen(thing: Thing) -> Step:
            \"\"\"Another one.\"\"\"
            return Step(when=[], then=[])
        """,
        r"stated\.py, line 17: chosen is declared twice in this module",
    ),
    "a relation whose name is taken by another": (
        'chosen = relation(Thing, doc="Another one.", holder=KEEPER)',
        r"stated\.py, line 13: take uses a symbol \(It is chosen\.\), which no module of the protocol holds",
    ),
    "a sort that is declared twice": (
        'class Thing(Individual):\n    """Another one."""',
        r"stated\.py, line 10: chosen uses Thing, which no module of the protocol holds",
    ),
    "an enumeration without members": (
        'from model.language.terms import Enumeration\n\nclass Side(Enumeration):\n    """Nowhere."""',
        r"stated\.py, line 18: Side has no members, so nothing can have a value of it",
    ),
    "a formula that is nested too deeply": (
        """
        @sometimes
        def deep(thing: Thing) -> Formula:
            \"\"\"It is nested.\"\"\"
            formula = chosen(thing)
            for _ in range(10_000):
                formula = ~formula
            return formula
        """,
        r"stated\.py, line 18: deep is nested 10,002 deep, and at most 100 are possible",
    ),
    "a witness that no module holds": (
        """
        @sometimes
        def taken(thing: Thing) -> Formula:
            \"\"\"It is taken.\"\"\"
            return chosen(thing)

        @always(taken)
        def is_kept(thing: Thing) -> Formula:
            \"\"\"It is kept.\"\"\"
            return ~chosen(thing) | chosen(thing)

        del taken
        """,
        r"stated\.py, line 23: is_kept uses a symbol \(It is taken\.\)",
    ),
    "a symbol that no name holds": (
        """
        hidden = [relation(Thing, doc="In a list.", holder=KEEPER)]

        @always()
        def nothing_is_hidden(thing: Thing) -> Formula:
            \"\"\"Nothing is hidden.\"\"\"
            return ~hidden[0](thing)
        """,
        r"stated\.py, line 20: nothing_is_hidden uses a symbol \(In a list\.\)",
    ),
    "a promise in a class": (
        """
        class Promises:
            @always()
            def is_kept(thing: Thing) -> Formula:
                \"\"\"It is kept.\"\"\"
                return ~chosen(thing)
        """,
        r"stated\.py, line 19: is_kept is declared, but no name at top level of the module holds it",
    ),
    "an action in a function": (
        """
        def more() -> None:
            @action(by=KEEPER)
            def put_back(thing: Thing) -> Step:
                \"\"\"It is put back.\"\"\"
                return Step(when=[chosen(thing)], then=[chosen.remove(thing)])

        more()
        """,
        r"stated\.py, line 19: put_back is declared, but no name",
    ),
    "a promise behind the end of an action": (
        """
        @action(by=KEEPER)
        def put_back(thing: Thing) -> Step:
            \"\"\"It is put back.\"\"\"
            return Step(when=[chosen(thing)], then=[chosen.remove(thing)])

            @always()
            def is_kept(thing: Thing) -> Formula:
                \"\"\"It is kept.\"\"\"
                return ~chosen(thing)
        """,
        r"stated\.py, line 23: is_kept is declared, but no name",
    ),
    "a promise under a condition that is false, by the name of a module": (
        """
        from model import language

        if KEEPER.each is not None:
            @language.always()
            def is_kept(thing: Thing) -> Formula:
                \"\"\"It is kept.\"\"\"
                return ~chosen(thing)
        """,
        r"stated\.py, line 21: is_kept is declared, but no name",
    ),
    "all but the last promise of a loop": (
        """
        for negated in (True, False):
            @always()
            def is_kept(thing: Thing) -> Formula:
                \"\"\"It is kept.\"\"\"
                return ~chosen(thing) if negated else chosen(thing)
        """,
        r"stated\.py, line 19: is_kept is declared, but no name",
    ),
    "a promise without a name": (
        """
        def is_kept(thing: Thing) -> Formula:
            \"\"\"It is kept.\"\"\"
            return ~chosen(thing)

        always()(is_kept)
        """,
        r"stated\.py, line 17: is_kept is declared, but no name",
    ),
    "a promise that another one of the same protocol weakens": (
        """
        @always()
        def strong(thing: Thing) -> Formula:
            \"\"\"It is never chosen.\"\"\"
            return ~chosen(thing)

        @always(weakens=strong)
        def weak(thing: Thing) -> Formula:
            \"\"\"It is chosen or not.\"\"\"
            return ~chosen(thing) | chosen(thing)
        """,
        r"stated\.py, line 23: weak weakens strong, which would then never be checked",
    ),
    "a fair action of the environment": (
        """
        WEATHER = Role("Does as it likes.", environment=True)

        @action(by=WEATHER, fair=True)
        def blow(thing: Thing) -> Step:
            \"\"\"It is blown away.\"\"\"
            return Step(when=[chosen(thing)], then=[chosen.remove(thing)])
        """,
        r"stated\.py, line 19: blow is fair, but nobody may count on the environment",
    ),
    "a promise about states that reads an event": (
        """
        from model.language import event
        taken = event(Thing, Thing, doc="It is taken.")

        @always()
        def nothing_is_taken(thing: Thing) -> Formula:
            \"\"\"Nothing is taken.\"\"\"
            return ~taken(thing, thing)
        """,
        r"stated\.py, line 21: nothing_is_taken: a promise about states reads an event",
    ),
    "a message that an event spends": (
        """
        from model.language import message
        @message(sender=KEEPER, receiver=KEEPER)
        def note(thing: Thing) -> Formula:
            \"\"\"A note.\"\"\"
            return chosen.after(thing)
        """,
        r"stated\.py, line 19: note: whether it is spent depends on an event or the state after the step",
    ),
    "a guard that reads history": (
        """
        was = relation(Thing, doc="It was chosen.", kind="history")

        @action(by=KEEPER)
        def put_back(thing: Thing) -> Step:
            \"\"\"It is put back.\"\"\"
            return Step(when=[was(thing)], then=[chosen.remove(thing)])
        """,
        r"stated\.py, line 20: put_back: its guard reads history \(was\)",
    ),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_vanish_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=said):
        Protocol.of("stated", module(text, tmp_path))


def test_a_member_has_one_name() -> None:
    one = Member("One.")
    with pytest.raises(TypeError, match=r"Twice\.b is the member a; declare a Member of its own for it"):

        class Twice(Enumeration):
            a = one
            b = one

    with pytest.raises(TypeError, match=r"Other\.c is the member a"):

        class Other(Enumeration):
            c = one


def test_a_promise_that_the_extended_protocol_lacks_is_not_weakened(tmp_path: Path) -> None:
    extended, whole = Protocol.of("extended", module("", tmp_path)), module(WEAKENED, tmp_path, "whole")
    with pytest.raises(TypeError, match=r"whole\.py, line 23: weak weakens strong, which would then never be checked"):
        Protocol.of("whole", whole, extends=extended)


def test_what_the_extended_protocol_promises_is_weakened(tmp_path: Path) -> None:
    whole = module(WEAKENED, tmp_path)
    extended = Protocol.of("extended", part(whole, without="weak"))
    assert [promise.name for promise in Protocol.of("stated", whole, extends=extended).promises] == ["weak"]


WEAKENED, _ = REFUSED["a promise that another one of the same protocol weakens"]


def part(of: ModuleType, *, without: str) -> ModuleType:
    """What a module declares, without one declaration."""
    made = ModuleType("part")
    names = [name for name in vars(of) if not name.startswith("_") and name != without]
    made.__dict__.update({name: vars(of)[name] for name in names})
    return made


def test_a_function_may_make_declarations_that_have_names(tmp_path: Path) -> None:
    text = """
    def _never(doc: str):
        @always()
        def made(thing: Thing) -> Formula:
            return ~chosen(thing) | chosen(thing)
        return made

    one = _never("One.")
    two = _never("Two.")
    """
    assert [promise.name for promise in Protocol.of("stated", module(text, tmp_path)).promises] == ["one", "two"]


def test_a_symbol_of_a_module_that_is_left_out_is_refused(tmp_path: Path) -> None:
    whole = module("", tmp_path)
    part = ModuleType("part")
    part.__dict__.update(Thing=whole.Thing, KEEPER=whole.KEEPER, take=whole.take)
    with pytest.raises(TypeError, match="take uses a symbol"):
        Protocol.of("part", part)


def test_helpers_may_be_private(tmp_path: Path) -> None:
    text = """
    def _taken(thing: Thing) -> Formula:
        return chosen(thing)

    @sometimes
    def something_is_taken(thing: Thing) -> Formula:
        \"\"\"It happens.\"\"\"
        return _taken(thing)
    """
    protocol = Protocol.of("stated", module(text, tmp_path))
    assert [claim.name for claim in protocol.sometimes] == ["something_is_taken"]
