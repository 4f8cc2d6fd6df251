"""The language a protocol is stated in.

A protocol is a set of modules that declare, at top level and in reading order:

| declaration | says |
|---|---|
| `Role` | who acts, and of which sort there is one for each |
| `relation`, `function` | a piece of state, and the role that holds it; history and constants are held by nobody |
| `@message` | what may be sent, by whom to whom; the body says when such a message is *spent* |
| `event` | what a step makes happen, seen by two-state promises only |
| `@definition`, `@lifecycle` | names for formulas and values computed from the state |
| `@action` | a guard (`when`, and the messages it `takes`), an update (`then`), events (`emits`), lifecycle moves (`moves`) |
| `@alternatives` | actions of which exactly one applies |
| `@always`, `@two_state`, `@lemma`, `@sometimes` | what is claimed of states and steps |
| `@assumption` | what is assumed of the constants |
| `@eventually` | what is claimed of infinite runs in which the `fair` actions are fair |
| `@variant` | a deviation kept on purpose, and the promises it breaks |

An action's function runs once, on variables, and returns a `Step`; its parameters are the only choices it makes. Changes read
the state before the step. What a step does not name stays as it is, and where two changes of one step meet, the later one in
the list wins. A message is never removed: once sent it stays available, so one action may deliver it again or not at all.

A declaration's name is the name of the attribute that holds it, given when `Protocol.of` collects the modules.
"""

from __future__ import annotations

from model.language.actions import Action, Alternatives, Step, action, alternatives
from model.language.changes import Change, Move, for_each
from model.language.claims import (
    Assumption,
    Deviation,
    Eventuality,
    LeadsTo,
    Promise,
    Sometimes,
    Variant,
    always,
    assumption,
    eventually,
    leads_to,
    lemma,
    sometimes,
    two_state,
    variant,
    weaker_lemma,
)
from model.language.declaration import Declaration, Role, Source
from model.language.protocol import Protocol
from model.language.symbols import (
    Definition,
    Function,
    Kind,
    Lifecycle,
    Message,
    Relation,
    Symbol,
    definition,
    event,
    function,
    lifecycle,
    message,
    relation,
)

__all__ = [
    "Action",
    "Alternatives",
    "Assumption",
    "Change",
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
