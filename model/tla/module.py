"""The complete statement of a protocol as one TLA+ module.

The module is parametric: the choices of a bounded model (members of sorts, largest numbers, constants, the choices to which an
action is restricted) are its constants, and `model.tla.tlc` provides them. Its meaning is exactly what the explorer visits: spent
messages are discarded after each step, and a step that would take a number out of its set does not exist. Left out is what does not
affect states and runs: which role holds what, moves of lifecycles, alternatives, variants that are not applied.

Promises about steps read the events of a step, which are not part of the state. So every action names the events that it emits, and
`broken` holds the promises that the last step broke: empty, unless one is broken. A formula over two states could not distinguish
two actions that lead from one state to the same other, and would not see an action that changes nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from model.bad_input import BadInput
from model.language import (
    Action,
    Assumption,
    Change,
    Declaration,
    Definition,
    Eventuality,
    Message,
    Promise,
    Protocol,
    Sometimes,
    Symbol,
)
from model.language.terms import Apply, Formula, Named, Node, Number, Quantified, Titled, Value, Variable
from model.language.transition import symbols
from model.language.walk import children, parts
from model.tla.expressions import WIDTH, Names, Scope, Vocabulary, lines, quoted, reads_events
from model.tla.updates import LINE, bounds, branches, function_after, relation_after, tuples

OWN: Final = """
    Allows Fairness Forgets Init Kept Messages Next Nobody_is_stuck Observe Send Spec Spent Types Watched
    broken events key message messages name network vars"""
"""The module's reserved names; a name of the protocol that equals one gets an underscore."""

AND: Final = "/\\"
OR: Final = "\\/"


@dataclass(frozen=True)
class Module:
    """A protocol as a module, and the names that a model and configuration need."""

    name: str
    text: str
    sorts: Mapping[type[Value], str]
    constants: Mapping[Symbol, str]
    sends: bool
    """Whether there are messages, so that the model says whether they are discarded."""
    deadlock: str
    """The invariant that there is no deadlock."""
    invariants: Mapping[Promise, str]
    properties: Mapping[Eventuality, str]


def module(protocol: Protocol) -> Module:
    """The protocol as a module.

    Raises:
        BadInput: whether a message is spent depends on messages, or nothing has a state.
    """
    return _Writer(protocol).module()


def identifier(name: str) -> str:
    """A name of letters, digits and underscores."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


class _Writer:
    """Writes the parts of a module, in reading order."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        names = Names([*OWN.split(), identifier(protocol.name)])
        claims = (*protocol.actions, *protocol.promises, *protocol.eventualities, *protocol.sometimes)
        self._called: dict[Declaration, str] = {claim: names.new(claim.name) for claim in claims}
        if protocol.deadlock_when is not None:
            self._called[protocol.deadlock_when] = names.new(protocol.deadlock_when.name)
        self._spent = {each_message: names.new(f"{each_message.name}_spent") for each_message in protocol.messages}
        self._unspent = {_unspent(each_message).definition: each_message for each_message in protocol.messages}
        operators = {definition: names.new(f"{message.name}_unspent") for definition, message in self._unspent.items()}
        self._acts = {role: names.new(f"{role.name}_acts") for role in protocol.roles}
        self._words = Vocabulary.of(protocol, names, operators)
        self._top = Scope(self._words)
        self._variables = [symbol for symbol in protocol.symbols if symbol.kind in ("state", "history")]
        self._constants = [symbol for symbol in protocol.symbols if symbol.kind == "constant"]
        self._steps = [promise for promise in protocol.promises if promise.kind == "two-state"]
        self._kept = {promise: names.new(f"{promise.name}_kept") for promise in self._steps}
        excused = [
            action for action in protocol.actions if protocol.deadlock_when is None and not action.role.environment
        ]
        bounded = [action for action in excused if bounds(action, self._top.binding(action.parameters))]
        self._cut = {action: names.new(f"{action.name}_cut") for action in bounded}
        if not self._variables and not protocol.messages:
            raise BadInput(
                f"{protocol.name} has no state, so there is nothing to export; declare a relation or a function"
            )
        for message in protocol.messages:
            self._refuse(message)

    def _refuse(self, message: Message[Any]) -> None:
        for symbol in symbols(message.spent):
            if isinstance(symbol, Message):
                raise BadInput(
                    f"{message.name}: whether it is spent depends on the message {symbol.name}, but the export discards all "
                    "messages of a step at once; make it depend on the state of a role"
                )

    def module(self) -> Module:
        protocol = self._protocol
        parts = [
            f" MODULE {identifier(protocol.name)} ".center(WIDTH, "-"),
            _comment(
                f"The protocol {protocol.name}, generated from its statement. Members of sorts and of enumerations are strings, "
                "relations are sets, and messages and events are tuples that begin with their names. A guard that can hold in "
                "several ways is compared with TRUE, since TLC would otherwise take each way as a separate step."
            ),
            "EXTENDS Naturals",
            *self._declarations(),
            *self._definitions(),
            self._types(),
            self._init(),
            *self._sending(),
            *self._promises_about_steps(),
            *map(self._action, protocol.actions),
            *self._next(),
            *map(self._claim, protocol.sometimes),
            *(self._claim(promise) for promise in protocol.promises if promise not in self._steps),
            *self._nobody_is_stuck(),
            *map(self._eventuality, protocol.eventualities),
        ]
        return Module(
            identifier(protocol.name),
            "\n\n".join(parts) + "\n\n" + "=" * WIDTH + "\n",
            self._words.sorts,
            {constant: self._words.symbols[constant] for constant in self._constants},
            bool(protocol.messages),
            "Nobody_is_stuck",
            {promise: self._kept.get(promise, self._called[promise]) for promise in protocol.promises},
            {eventuality: self._called[eventuality] for eventuality in protocol.eventualities},
        )

    # -------------------------------------------------------------------------------------------- what there is

    def _declarations(self) -> Iterator[str]:
        sorts, called = self._words.sorts, self._words.symbols
        declared = [(sorts[sort], sort.__doc__ or "") for sort in self._protocol.sorts]
        declared += [(sorts[number], number.__doc__ or "") for number in self._protocol.numbers]
        declared += [(called[constant], constant.doc) for constant in self._constants]
        declared.append(("Allows(_, _)", "Whether the action of this name may make these choices."))
        if self._protocol.messages:
            declared.append(("Forgets", "Whether a message is discarded when it is spent, that is, no longer needed."))
        if self._steps:
            declared.append(("Watched", "The names of the promises about steps that are checked."))
        yield _listed("CONSTANTS", declared)
        for enumeration in self._protocol.enumerations:
            members = ", ".join(map(quoted, enumeration.names()))
            yield f"{_comment(enumeration.__doc__ or '')}\n{sorts[enumeration]} == {{{members}}}"
        given = [f"{sorts[number]} \\subseteq Nat" for number in self._protocol.numbers]
        given += [self._typed(constant) for constant in self._constants]
        given += [self._top.text(_for_all(assumption), 5) for assumption in self._protocol.assumptions]
        if given:
            yield f"ASSUME\n  {lines(AND, given, 2)}"
        variables = [(called[variable], variable.doc) for variable in self._variables]
        if self._protocol.messages:
            variables.append(("network", "The messages that were sent and are not discarded."))
        if self._steps:
            variables.append(("broken", "The promises about steps that the last step broke."))
        yield _listed("VARIABLES", variables)
        yield f"vars == {_tuple([name for name, _ in variables], 8)}"

    def _typed(self, symbol: Symbol) -> str:
        name, product = self._words.symbols[symbol], self._top.product(symbol.arguments)
        if symbol.result is Formula:
            return f"{name} \\subseteq {product if len(symbol.arguments) == 1 else f'({product})'}"
        return f"{name} \\in [{product} -> {self._words.sorts[symbol.result]}]"

    def _types(self) -> str:
        typed, text = [self._typed(variable) for variable in self._variables], ""
        if self._protocol.messages:
            kinds = []
            for message in self._protocol.messages:
                fields = [f"{{{quoted(message.name)}}}", *(self._words.sorts[sort] for sort in message.arguments)]
                kinds.append(f"({_PRODUCT.join(fields)})" if message.arguments else f"{{<<{quoted(message.name)}>>}}")
            text = f"{_comment('What can be sent.')}\nMessages ==\n  {_JOINED.join(kinds)}\n\n"
            typed.append("network \\subseteq Messages")
        if self._steps:
            typed.append("broken \\subseteq Watched")
        return f"{text}{_comment('The values that variables can have.')}\nTypes ==\n  {lines(AND, typed, 2)}"

    def _definitions(self) -> Iterator[str]:
        """Each after those that it uses."""
        made: set[object] = set()

        def named_in(node: Node) -> Iterator[str]:
            if isinstance(node, Named) and node.definition in self._words.operators:
                yield from make(node.definition)
            for part in (*node.arguments, node.body) if isinstance(node, Named) else children(node):
                yield from named_in(part)

        def make(titled: Titled) -> Iterator[str]:
            if titled in made:
                return
            made.add(titled)
            if isinstance(titled, Definition):
                yield from named_in(titled.value.node)
                yield self._operator(self._words.operators[titled], titled.doc, titled.parameters, titled.value.node)
            else:
                message = self._unspent[titled]
                yield from named_in(message.spent)
                yield self._operator(self._spent[message], message.doc, message.parameters, message.spent)
                scope = self._top.binding(message.parameters)
                sent = scope.flat(Apply(message, message.parameters))
                spent = scope.call(self._spent[message], message.parameters)
                named = scope.call(self._words.operators[titled], message.parameters)
                yield f"{named} ==\n  {lines(AND, [sent, f'~{spent}'], 2)}"

        for operator in self._words.operators:
            yield from make(operator)

    def _operator(self, name: str, doc: str, parameters: Sequence[Variable], node: Node) -> str:
        scope = self._top.binding(parameters)
        return f"{_comment(doc)}\n{scope.call(name, parameters)} ==\n  {scope.text(node, 2)}"

    # ------------------------------------------------------------------------------------------- what happens

    def _init(self) -> str:
        parts = []
        for symbol in self._variables:
            name = self._words.symbols[symbol]
            if symbol.result is Formula:
                parts.append(f"{name} = {{}}")
            else:
                first = "0" if issubclass(symbol.result, Number) else quoted(_first(symbol.result))
                parts.append(f"{name} = [key \\in {self._top.product(symbol.arguments)} |-> {first}]")
        parts += ["network = {}"] if self._protocol.messages else []
        parts += ["broken = {}"] if self._steps else []
        return f"Init ==\n  {lines(AND, parts, 2)}"

    def _sending(self) -> Iterator[str]:
        if self._protocol.messages:
            cases = []
            for message in self._protocol.messages:
                fields = ", ".join(f"message[{place + 2}]" for place in range(len(message.arguments)))
                spent = f"{self._spent[message]}({fields})" if fields else self._spent[message]
                cases.append(f"message[1] = {quoted(message.name)} -> {spent}")
            yield f"Spent(message) ==\n  CASE {_CASES.join(cases)}"
            yield (
                f"{_comment('A step sends these messages; what is spent after it is discarded.')}\n"
                f"Send(messages) ==\n"
                f"  network' = {{message \\in network \\cup messages : ~(Forgets {AND} Spent(message)')}}"
            )

    def _promises_about_steps(self) -> Iterator[str]:
        for promise in self._steps:
            yield self._claim(promise)
        if self._steps:
            cases = [f"name = {quoted(step.name)} -> {self._called[step]}(events)" for step in self._steps]
            yield f"Kept(name, events) ==\n  CASE {_CASES.join(cases)}"
            yield (
                f"{_comment('A step emits these events; the promises that it breaks are recorded.')}\n"
                f"Observe(events) ==\n  broken' = {{name \\in Watched : ~Kept(name, events)}}"
            )
            yield "\n".join(f"{name} == {quoted(promise.name)} \\notin broken" for promise, name in self._kept.items())

    def _action(self, action: Action) -> str:
        scope = self._top.binding(action.parameters)
        parts = [*self._guard(action, scope), *bounds(action, scope)]
        unchanged = []
        for symbol in self._variables:
            changes = [change for change in action.changes if change.symbol is symbol]
            if changes:
                parts.append(self._changed(symbol, changes, scope))
            else:
                unchanged.append(self._words.symbols[symbol])
        if unchanged:
            parts.append(f"UNCHANGED {_tuple(unchanged, 15)}")
        if self._protocol.messages:
            sent = [
                tuples(each_change, scope) for each_change in action.changes if each_change.symbol.kind == "message"
            ]
            parts.append(f"Send({_UNION.join(sent) or '{}'})")
        if self._steps:
            happened = ", ".join(scope.named_tuple(emit.symbol, emit.arguments) for emit in action.emits)
            parts.append(f"Observe({{{happened}}})")
        return f"{_comment(action.doc)}\n{scope.call(self._called[action], action.parameters)} ==\n  {lines(AND, parts, 2)}"

    def _guard(self, action: Action, scope: Scope) -> list[str]:
        choices = ", ".join(scope.variables[parameter] for parameter in action.parameters)
        parts = [f"Allows({quoted(action.name)}, <<{choices}>>)"]
        for node in action.guard:
            parts.append(f"{scope.text(node, 5, 6)} = TRUE" if branches(node) else scope.text(node, 5))
        return parts

    def _changed(self, symbol: Symbol, changes: Sequence[Change], scope: Scope) -> str:
        name = self._words.symbols[symbol]
        if symbol.result is not Formula:
            return f"{name}' = {function_after(name, changes, scope)}"
        text = f"{name}' = {relation_after(name, changes, scope)}"
        if len(text) > WIDTH - 5:
            text = f"{name}' = {relation_after(name, changes, scope, LINE)}"
        return text

    def _next(self) -> Iterator[str]:
        for role, name in self._acts.items():
            acts = [self._each("\\E", action) for action in self._protocol.actions if action.role is role]
            yield f"{_comment(role.doc)}\n{name} ==\n  {lines(OR, acts, 2) if acts else 'FALSE'}"
        yield f"Next == {f' {OR} '.join(self._acts.values())}"
        fair = [self._each("\\A", action, "WF_vars({})") for action in self._protocol.actions if action.fair]
        if fair:
            doc = "An action that stays enabled forever is eventually taken, for each of its choices."
            yield f"{_comment(doc)}\nFairness ==\n  {lines(AND, fair, 2)}"
        yield f"Spec == Init {AND} [][Next]_vars{f' {AND} Fairness' if fair else ''}"

    def _each(self, quantifier: str, action: Action, said: str = "{}", name: str = "") -> str:
        """A property of an action, or of the operator of this name, for each of the action's choices or for one of them."""
        scope = self._top.binding(action.parameters)
        text = said.format(scope.call(name or self._called[action], action.parameters))
        if not action.parameters:
            return text
        head = f"{quantifier} {scope.ranges(action.parameters)} :"
        return f"{head}{LINE if len(head) + len(text) > WIDTH - 6 else ' '}{text}"

    # ---------------------------------------------------------------------------------------- what is claimed

    def _claim(self, claim: Promise | Sometimes) -> str:
        """A promise for all parameters, or a reachable claim for some."""
        name = self._called[claim]
        if claim in self._steps or reads_events(claim.formula):
            name = f"{name}(events)"
        doc = claim.doc if isinstance(claim, Promise) else f"Must be reachable: {claim.doc}"
        return self._operator(name, doc, (), _for_all(claim) if isinstance(claim, Promise) else _for_some(claim))

    def _nobody_is_stuck(self) -> Iterator[str]:
        declared = self._protocol.deadlock_when
        acting = f" {OR} ".join(name for role, name in self._acts.items() if not role.environment) or "FALSE"
        ways = [f"ENABLED <<{acting}>>_vars"]
        if declared is not None:
            yield self._operator(self._called[declared], declared.doc, (), declared.closed)
            ways.append(f"~{self._called[declared]}")
        else:
            ways += [self._each("\\E", action, name=name) for action, name in self._cut.items()]
            yield from (self._cut_operator(action, name) for action, name in self._cut.items())
        doc = "Some role can change the state, or a run may end here."
        yield f"{_comment(doc)}\nNobody_is_stuck ==\n  {lines(OR, ways, 2)}"

    def _cut_operator(self, action: Action, name: str) -> str:
        scope = self._top.binding(action.parameters)
        outside = f" {OR} ".join(f"~({within})" for within in bounds(action, scope))
        parts = [*self._guard(action, scope), outside]
        doc = f"Only a bound keeps {action.name} from being enabled."
        return f"{_comment(doc)}\n{scope.call(name, action.parameters)} ==\n  {lines(AND, parts, 2)}"

    def _eventuality(self, eventuality: Eventuality) -> str:
        scope = self._top.binding(eventuality.parameters)
        premise, conclusion = _of_states(scope, eventuality.premise, 4), _of_states(scope, eventuality.conclusion, 7)
        each = f"\\A {scope.ranges(eventuality.parameters)} :\n    " if eventuality.parameters else ""
        return f"{_comment(eventuality.doc)}\n{self._called[eventuality]} ==\n  {each}{premise}\n    ~> {conclusion}"


_CASES: Final = "\n    [] "
_UNION: Final = f"{LINE}\\cup "
_JOINED: Final = "\n  \\cup "
_PRODUCT: Final = " \\X "


def _unspent(message: Message[Any]) -> Named:
    """A message of any fields that was sent and is not spent: it is recognized by the definition in it."""
    values = [variable.sort(variable) for variable in message.parameters]
    node = message.unspent(*values).node
    assert isinstance(node, Named)
    return node


def _of_states(scope: Scope, node: Node, column: int) -> str:
    """One side of an eventuality. TLC takes a definition in it for a temporal formula too, unless it is compared."""
    if any(isinstance(part, Named) for part in parts(node)):
        return f"{scope.text(node, column, 6)} = TRUE"
    return scope.text(node, column, 3)


def _for_all(claim: Promise | Assumption) -> Node:
    return Quantified("all", claim.parameters, claim.formula) if claim.parameters else claim.formula


def _for_some(claim: Sometimes) -> Node:
    return Quantified("some", claim.parameters, claim.formula) if claim.parameters else claim.formula


def _first(enumeration: type[Value]) -> str:
    names: list[str] = enumeration.names()  # type: ignore[attr-defined]
    return names[0]


def _comment(text: str) -> str:
    """A comment above what it describes."""
    paragraphs = [
        "\n".join(f"\\* {line}" for line in textwrap.wrap(paragraph, WIDTH - 3)) for paragraph in text.split("\n\n")
    ]
    return "\n\\*\n".join(paragraphs)


def _listed(word: str, declared: Sequence[tuple[str, str]]) -> str:
    """Declarations, each with a line of description."""
    shown = [f"{name}," if number < len(declared) else name for number, (name, _) in enumerate(declared, start=1)]
    width = max(map(len, shown))
    texts = []
    for name, (_, doc) in zip(shown, declared, strict=True):
        first, *more = textwrap.wrap(" ".join(doc.split()), WIDTH - width - 7) or [""]
        texts.append(f"  {name:<{width}}  \\* {first}")
        texts += [f"  {'':<{width}}  \\* {line}" for line in more]
    return "\n".join([word, *texts])


def _tuple(names: Sequence[str], column: int) -> str:
    """A tuple, on as many lines as necessary."""
    return f"\n{' ' * (column + 2)}".join(textwrap.wrap(f"<<{', '.join(names)}>>", WIDTH - column - 2))
