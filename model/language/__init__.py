"""The language in which protocols are stated.

A protocol is a set of modules that declare, at top level and in reading order:

| declaration | meaning |
|---|---|
| `Role` | an actor, and the sort that has one actor per member |
| `relation`, `function` | a piece of state, and the role that holds it; no role holds history and constants |
| `@message` | what one role may send to another; the body says when such a message is *spent* |
| `event` | what happens in a step, visible to two-state promises only |
| `@definition`, `@lifecycle` | names for formulas and values computed from the state |
| `@action` | a guard (`when`, and the messages it `takes`), an update (`then`), events (`emits`), lifecycle moves (`moves`) |
| `@alternatives` | actions of which exactly one applies |
| `@always`, `@two_state`, `@lemma`, `@sometimes` | claims about states and steps |
| `@assumption` | an assumption about the constants |
| `@deadlock_when` | where it is a deadlock that no role can act; without it, wherever no bound keeps a role from acting |
| `@eventually` | a claim about infinite runs in which the `fair` actions are fair |
| `@variant` | a deliberate deviation, and the promises that it breaks |

An action's function runs once, on variables, and returns a `Step`; its parameters are its only choices. Changes read the state
before the step. A step leaves everything that it does not name unchanged. If two changes of a step overlap, the later one in the
list wins. A message is never removed: once sent it stays available, so an action may take it again or never.

`Protocol.of` collects the modules and names each declaration after the attribute that holds it.
"""

from __future__ import annotations

from model.language.actions import Action, Alternatives, Step, action, alternatives
from model.language.changes import Change, for_each
from model.language.claims import (
    Assumption,
    DeadlockWhen,
    Deviation,
    Eventuality,
    LeadsTo,
    Promise,
    Sometimes,
    Variant,
    always,
    assumption,
    deadlock_when,
    eventually,
    leads_to,
    lemma,
    sometimes,
    two_state,
    variant,
    weaker_lemma,
)
from model.language.declaration import Declaration, Source
from model.language.definitions import Definition, Lifecycle, Move, definition, lifecycle
from model.language.protocol import Protocol
from model.language.symbols import Function, Message, Relation, event, function, message, relation
from model.language.terms import Kind, Role, Symbol

__all__ = [
    "Action",
    "Alternatives",
    "Assumption",
    "Change",
    "DeadlockWhen",
    "Declaration",
    "Definition",
    "Deviation",
    "Eventuality",
    "Function",
    "Kind",
    "LeadsTo",
    "Lifecycle",
    "Message",
    "Move",
    "Promise",
    "Protocol",
    "Relation",
    "Role",
    "Sometimes",
    "Source",
    "Step",
    "Symbol",
    "Variant",
    "action",
    "alternatives",
    "always",
    "assumption",
    "deadlock_when",
    "definition",
    "event",
    "eventually",
    "for_each",
    "function",
    "leads_to",
    "lemma",
    "lifecycle",
    "message",
    "relation",
    "sometimes",
    "two_state",
    "variant",
    "weaker_lemma",
]
