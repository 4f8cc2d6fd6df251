"""Messages that are spent in every state: what is promised of one while it is unspent holds of nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from model import cache
from model.language import Message, Protocol
from model.language.protocol import nodes_of
from model.language.symbols import Begins, Unspent
from model.language.terms import Named, Node
from model.language.transient import is_transient
from model.language.walk import parts, unfolded

KIND: Final = "spent"
"""The folder of the cache."""

STEPS_MAX: Final = 1_000_000
"""Of z3, for one message."""


def always_spent(protocol: Protocol) -> list[str]:
    """The messages that a promise or eventuality reads while they are unspent, and that are spent whatever the state is."""
    key = cache.key_of(KIND, protocol.digest())
    known = cache.read(KIND, key)
    if known is not None:
        return list(map(str, json.loads(known)))
    found = [message.name for message in _read_unspent(protocol) if _is_valid(protocol, message)]
    cache.write(KIND, key, json.dumps(found).encode())
    return found


def _read_unspent(protocol: Protocol) -> Iterator[Message[Any]]:
    promised = [promise for promise in protocol.promises if not promise.lemma]
    ends = [protocol.deadlock_when] if protocol.deadlock_when else []
    nodes = [node for claim in (*promised, *protocol.eventualities, *ends) for node in nodes_of(claim)]
    read = {_unspent(part) for node in nodes for part in parts(node)}
    yield from (
        message for message in protocol.messages if message in read and not is_transient(unfolded(message.spent))
    )


def _unspent(part: Node) -> Message[Any] | None:
    """The message that a part asks for while it is unspent."""
    named = part.definition if isinstance(part, Named) else None
    return named.message if isinstance(named, Unspent | Begins) else None


def _is_valid(protocol: Protocol, message: Message[Any]) -> bool:
    # z3 takes a while to load, and is not needed for what is known.
    import z3

    from model.proof.symbolic import Translator, context_apart

    with context_apart():
        translator, solver = Translator(protocol), z3.Solver()
        solver.set("smt.mbqi", False)
        solver.set("rlimit", STEPS_MAX)
        environment = translator.constants(message.parameters, "p!")
        solver.add(*translator.domain(), *translator.ranges(environment))
        solver.add(z3.Not(translator.term(message.spent, environment)))
        return bool(solver.check() == z3.unsat)
