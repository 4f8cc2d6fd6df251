"""Everything that a module declares is part of the protocol, or refused with its place: nothing vanishes in silence."""

from __future__ import annotations

import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from model.language import Protocol

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
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_vanish_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=said):
        Protocol.of("stated", module(text, tmp_path))


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
