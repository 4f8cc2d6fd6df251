"""The digest of a statement covers all that a verdict depends on, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.language import Protocol
from tests.model.language.test_collecting import module

WHOLE = '''
class Side(Enumeration):
    """Where it is."""

    left = Member("On the left.")
    right = Member("On the right.")

heavy = relation(Thing, doc="It is heavy.", kind="constant")
side = function(Thing, to=Side, doc="Where it is.", holder=KEEPER)

@assumption
def nothing_is_heavy(thing: Thing) -> Formula:
    """It can be carried."""
    return ~heavy(thing)

@definition
def carried(thing: Thing) -> Formula:
    """It is carried."""
    return chosen(thing) & ~heavy(thing)

@lifecycle(holder=KEEPER)
def place(thing: Thing) -> Side:
    """Where it is."""
    return side(thing)

@message(sender=KEEPER, receiver=KEEPER)
def called(thing: Thing) -> Formula:
    """It was called."""
    return chosen(thing)

@action(by=KEEPER, fair=True)
def turn(thing: Thing) -> Step:
    """It is turned."""
    return Step(then=[side.assign(thing, to=Side.right)], moves=[place.move(thing, source=[Side.left], to=[Side.right])])

@alternatives(take, turn)
def moves_somehow(thing: Thing) -> Formula:
    """It is taken or turned."""
    return heavy(thing)

@sometimes
def something_is_carried(thing: Thing) -> Formula:
    """It happens."""
    return carried(thing)

@sometimes
def something_is_chosen(thing: Thing) -> Formula:
    """It happens."""
    return chosen(thing)

@always(something_is_carried, something_is_chosen)
def carried_by_choice(thing: Thing) -> Formula:
    """Nothing is carried that was not chosen."""
    return implies(carried(thing), chosen(thing))

@eventually(something_is_chosen)
def all_is_chosen(thing: Thing) -> LeadsTo:
    """Everything is chosen in the end."""
    return leads_to(~chosen(thing), chosen(thing))

@variant(replaces=take, breaks=[carried_by_choice])
def takes_again(thing: Thing) -> Step:
    """It is taken again."""
    return take.but(without=[~chosen(thing)])
'''
IMPORTS = """
from model.language import LeadsTo, alternatives, assumption, lemma, lifecycle, message, two_state, variant
from model.language.terms import TRUE, Enumeration, Member, implies
"""
DIGESTED = {
    "a member's place": (
        '    left = Member("On the left.")\n    right = Member("On the right.")',
        '    right = Member("On the right.")\n    left = Member("On the left.")',
    ),
    "an assumption": ("return ~heavy(thing)", "return heavy(thing)"),
    "a definition": ("chosen(thing) & ~heavy(thing)", "chosen(thing)"),
    "a lifecycle": ("return side(thing)", "return Side.left"),
    "what spends a message": ("    return chosen(thing)\n\n@action", "    return TRUE\n\n@action"),
    "whether a message lasts": ("receiver=KEEPER)", "receiver=KEEPER, lasting=True)"),
    "whether an action is fair": ("@action(by=KEEPER, fair=True)", "@action(by=KEEPER)"),
    "a move": ("to=[Side.right])])", "to=[Side.left, Side.right])])"),
    "when alternatives apply": ("return heavy(thing)", "return heavy(thing) & chosen(thing)"),
    "the alternatives": ("@alternatives(take, turn)", "@alternatives(take)"),
    "a witness": ("return carried(thing)", "return carried(thing) | heavy(thing)"),
    "the witnesses of a promise": (
        "@always(something_is_carried, something_is_chosen)",
        "@always(something_is_carried)",
    ),
    "a promise": ("implies(carried(thing), chosen(thing))", "TRUE"),
    "the kind of a promise": ("@always(something_is_carried, ", "@two_state(something_is_carried, "),
    "whether it is a lemma": ("@always(something_is_carried, something_is_chosen)", "@lemma"),
    "a premise": ("leads_to(~chosen(thing)", "leads_to(~chosen(thing) & heavy(thing)"),
    "a conclusion": (", chosen(thing))\n\n@variant", ", chosen(thing) | heavy(thing))\n\n@variant"),
    "the witnesses of an eventuality": ("@eventually(something_is_chosen)", "@eventually(something_is_carried)"),
}
NOT_DIGESTED = {
    "prose": ("Nothing is carried that was not chosen.", "What is carried was chosen."),
    "the doc of a relation": ('"It is heavy."', '"It has weight."'),
    "the doc of a member": ('"On the left."', '"To the left."'),
    "a place": ("\n@assumption", "\n\n\n@assumption"),
    "a variant": ("without=[~chosen(thing)]", "without=[chosen]"),
}


def digest(text: str, folder: Path) -> str:
    """The digest of the protocol with this text."""
    return Protocol.of("stated", module(IMPORTS + text, folder)).digest()


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [(*edit, True) for edit in DIGESTED.values()] + [(*edit, False) for edit in NOT_DIGESTED.values()],
    ids=[*DIGESTED, *NOT_DIGESTED],
)
def test_the_digest_covers_what_a_verdict_depends_on(old: str, new: str, differs: bool, tmp_path: Path) -> None:
    assert WHOLE.count(old) == 1
    assert (digest(WHOLE.replace(old, new), tmp_path) != digest(WHOLE, tmp_path)) == differs
