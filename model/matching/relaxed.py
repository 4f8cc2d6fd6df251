"""A statement without the order in which its processes act on shared state that keeps no log.

The steps of several processes change a broker's subscriptions and backlogs, and no message tells which came first. The relaxed
statement reads such state only as *possibly* true: a step that would have made it true was taken. It has every behavior of the
original, and some more: an observation that contradicts it contradicts the original too.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any, Final

from model.language import Action, Change, Message, Protocol, Role, Symbol
from model.language.terms import FALSE, TRUE, Apply, Formula, Node, Truth, Variable
from model.language.transition import symbols


class Hearsay(Message[Any]):
    """An entry that may be true: added by the first step that could have made it so, and never removed."""

    def __init__(self, of: Symbol, said_by: Role, places: tuple[int, ...]) -> None:
        sorts = tuple(of.arguments[place] for place in places)
        Symbol.__init__(self, "message", sorts, Formula, of.doc)
        self.name = of.name
        self.sender = self.receiver = said_by
        self.lasting = True
        self.parameters = tuple(Variable(f"{sort.title}_{place}", sort) for place, sort in enumerate(sorts))
        self.spent: Node = FALSE.node
        self.places: Final = places
        """The arguments that are kept: those that no step gives all values at once."""


def relaxed(protocol: Protocol, shared: Role) -> Protocol:
    """The statement with one role's state reduced to what may be true.

    Raises:
        ValueError: a step needs such state to be false, or changes other state by it.
    """
    held = {symbol for symbol in protocol.symbols if symbol.kind == "state" and symbol.holder is shared}
    heard = {symbol: _hearsay(protocol, symbol) for symbol in held}
    actions = tuple(_relaxed(action, heard) for action in protocol.actions)
    kept = tuple(heard.get(symbol, symbol) for symbol in protocol.symbols)
    return replace(protocol, symbols=kept, actions=actions)


def _hearsay(protocol: Protocol, symbol: Symbol) -> Hearsay:
    adding = [
        (action.role, change)
        for action in protocol.actions
        for change in action.changes
        if change.symbol is symbol and change.value == TRUE.node
    ]
    if not adding or symbol.result is not Formula:
        raise ValueError(f"{symbol} is used as more than possibly true")
    bulk = {
        place for _, change in adding for place, argument in enumerate(change.arguments) if argument in change.binders
    }
    return Hearsay(symbol, adding[0][0], tuple(place for place in range(len(symbol.arguments)) if place not in bulk))


def _relaxed(action: Action, heard: dict[Symbol, Hearsay]) -> Action:
    read = tuple(conjunct for conjunct in action.guard if _reads(conjunct, heard))
    for node in read:
        if not isinstance(node, Apply) or node.symbol not in heard:
            raise ValueError(f"{action.name}: {node} is used as more than possibly true")
    takes = (*action.takes, *(_said(heard[node.symbol], node.arguments) for node in read if isinstance(node, Apply)))
    changes = []
    for change in action.changes:
        if change.symbol in heard:
            if change.value == Truth(True):
                said = _said(heard[change.symbol], change.arguments)
                changes.append(Change(said.symbol, said.arguments, TRUE.node))
        elif any(_reads(node, heard) for node in (*change.arguments, change.value, change.condition)):
            raise ValueError(f"{action.name}: {change.symbol} depends on what is only possibly true")
        else:
            changes.append(change)
    rest = tuple(conjunct for conjunct in action.guard[len(action.takes) :] if conjunct not in read)
    made = replace(action, takes=takes, guard=(*takes, *rest), changes=tuple(changes))
    object.__setattr__(made, "name", action.name)
    return made


def _said(symbol: Hearsay, arguments: tuple[Node, ...]) -> Apply:
    return Apply(symbol, tuple(arguments[place] for place in symbol.places))


def _reads(node: Node, heard: Collection[Symbol]) -> bool:
    return any(symbol in heard for symbol in symbols(node))
