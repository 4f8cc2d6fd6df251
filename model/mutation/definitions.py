"""Mutants of definitions, and of the conditions under which messages are spent: faults in what several declarations share.

A definition's faults are those of a guard: a conjunct or an alternative left out, two parameters swapped, an order or equality
changed, another function or member. They are put wherever the definition is used, in actions and in claims. A condition under which
a message is spent holds more often, or less often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from model.language import Action, Definition, Message, Protocol
from model.language.terms import And, Apply, Named, Node, Not
from model.language.walk import rebuilt, substitute
from model.mutation.claims import weakened_or_strengthened
from model.mutation.rules import wrong


@dataclass(frozen=True)
class SharedMutant:
    """Another body of a definition, or another condition under which a message is spent."""

    name: str
    """Unique within the protocol: `definition: what is wrong`."""
    original: Definition[Any, Any] | Message[Any]
    body: Node
    rule: str


def definition_mutants(protocol: Protocol) -> list[SharedMutant]:
    """Those of the definitions that the protocol does not share with one that it extends."""
    inherited = protocol.extends.definitions if protocol.extends else ()
    own = [definition for definition in protocol.definitions if definition not in inherited]
    return [
        mutant
        for definition in own
        for body in (definition.value.node,)
        for mutant in _of(definition, body, [*weakened_or_strengthened(body), *wrong(protocol, body)], "")
    ]


def spent_mutants(protocol: Protocol) -> list[SharedMutant]:
    """Those of the messages that the protocol does not share with one that it extends."""
    inherited = protocol.extends.messages if protocol.extends else ()
    own = [message for message in protocol.messages if message not in inherited]
    return [
        mutant
        for message in own
        for mutant in _of(message, message.spent, weakened_or_strengthened(message.spent), "spent ")
    ]


def _of(
    original: Definition[Any, Any] | Message[Any], body: Node, made: Iterable[tuple[str, str, Node]], prefix: str
) -> Iterator[SharedMutant]:
    seen: set[Node] = {body}
    names: dict[str, int] = {}
    for rule, words, node in made:
        if node not in seen:
            seen.add(node)
            number = names[words] = names.get(words, 0) + 1
            again = f" ({number})" if number > 1 else ""
            yield SharedMutant(f"{original.name}: {prefix}{words}{again}", original, node, rule)


@contextmanager
def defined_as(protocol: Protocol, mutant: SharedMutant) -> Iterator[Protocol]:
    """The protocol in which the definition is the mutant, wherever it is used, as long as this context lasts."""
    definition = mutant.original
    assert isinstance(definition, Definition)

    def change(node: Node) -> Node:
        if isinstance(node, Named) and node.definition is definition:
            by = dict(zip(definition.parameters, node.arguments, strict=True))
            return Named(definition, node.arguments, substitute(mutant.body, by))
        return node

    stated, definition.value = definition.value, type(definition.value)(mutant.body)
    try:
        yield _rewritten(protocol, mutant.name, change)
    finally:
        definition.value = stated


@contextmanager
def spent_when(protocol: Protocol, mutant: SharedMutant) -> Iterator[Protocol]:
    """The protocol in which the message is spent under the mutant's condition, as long as this context lasts."""
    message = mutant.original
    assert isinstance(message, Message)

    def change(node: Node) -> Node:
        if isinstance(node, Named) and getattr(node.definition, "message", None) is message:
            by = dict(zip(message.parameters, node.arguments, strict=True))
            body = And((Apply(message, node.arguments), Not(substitute(mutant.body, by))))
            return Named(node.definition, node.arguments, body)
        return node

    stated, message.spent = message.spent, mutant.body
    try:
        yield _rewritten(protocol, mutant.name, change)
    finally:
        message.spent = stated


def _rewritten(protocol: Protocol, words: str, change: Callable[[Node], Node]) -> Protocol:
    """The protocol with a change of every part of every formula and term. What does not change stays the same declaration.

    Its name has the words of the change: it is not equal to the protocol even if nothing but the body of a declaration differs, so
    nothing that is known of one is taken for known of the other.
    """

    def node(old: Node) -> Node:
        return rebuilt(old, change)

    def nodes(old: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(map(node, old))

    def action(old: Action) -> Action:
        changes = tuple(
            replace(each, arguments=nodes(each.arguments), value=node(each.value), condition=node(each.condition))
            for each in old.changes
        )
        return replace(
            old,
            takes=nodes(old.takes),
            guard=nodes(old.guard),
            changes=changes,
            emits=nodes(old.emits),
            moves=tuple(replace(move, condition=node(move.condition)) for move in old.moves),
        )

    def renamed(old: Any, new: Any) -> Any:
        if all(vars(old)[name] == value for name, value in vars(new).items() if name != "name"):
            return old
        object.__setattr__(new, "name", old.name)
        return new

    actions = {old: renamed(old, action(old)) for old in protocol.actions}
    claims: dict[Any, Any] = {old: renamed(old, replace(old, formula=node(old.formula))) for old in protocol.promises}
    claims |= {old: renamed(old, replace(old, formula=node(old.formula))) for old in protocol.sometimes}
    claims |= {
        old: renamed(old, replace(old, premise=node(old.premise), conclusion=node(old.conclusion)))
        for old in protocol.eventualities
    }
    return replace(
        protocol,
        name=f"{protocol.name} with {words}",
        actions=tuple(actions.values()),
        promises=tuple(claims[old] for old in protocol.promises),
        sometimes=tuple(claims[old] for old in protocol.sometimes),
        eventualities=tuple(claims[old] for old in protocol.eventualities),
        alternatives=tuple(
            renamed(
                old,
                replace(old, given=node(old.given), choices=tuple(actions[choice] for choice in old.choices)),
            )
            for old in protocol.alternatives
        ),
        variants=tuple(
            renamed(
                old,
                replace(
                    old,
                    replaces=actions[old.replaces],
                    action=renamed(old.action, action(old.action)),
                    breaks=tuple(claims.get(broken, broken) for broken in old.breaks),
                ),
            )
            for old in protocol.variants
        ),
    )
