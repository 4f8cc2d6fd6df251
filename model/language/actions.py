"""Actions of roles: guards and updates."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from model.language.changes import Change
from model.language.declaration import Declaration, Misdeclared, Source, declared_by
from model.language.definitions import Move
from model.language.refusals import a_value, of_sort, refuse_other
from model.language.terms import And, Apply, Formula, Kind, Node, Role, Symbol, Variable, parameters_of, stated


@dataclass(frozen=True, slots=True)
class Step:
    """The result of an action's function. All lists are optional."""

    takes: Sequence[Formula] = ()
    """Messages received. They belong to the guard, and are spent after the step."""
    when: Sequence[Formula] = ()
    then: Sequence[Change] = ()
    emits: Sequence[Formula] = ()
    moves: Sequence[Move] = ()
    absent: Sequence[Node | Symbol] = ()
    """Parts that another action was to leave out, but does not have."""

    def __post_init__(self) -> None:
        kinds = {"takes": Formula, "when": Formula, "then": Change, "emits": Formula, "moves": Move}
        for name, kind in kinds.items():
            entries: object = getattr(self, name)
            if not isinstance(entries, list | tuple):
                raise TypeError(f"{name} is a list, not {a_value(entries)}; write {name}=[...]")
            refuse_other(entries, (kind,), f"each entry of {name} is {of_sort(kind).lower()}")


@dataclass(frozen=True, repr=False, eq=False)
class Action(Declaration):
    """A guard and an update, for all values of the parameters."""

    role: Role
    parameters: tuple[Variable, ...]
    takes: tuple[Apply, ...]
    guard: tuple[Node, ...]
    """The conjuncts, the taken messages first."""
    changes: tuple[Change, ...]
    emits: tuple[Apply, ...]
    moves: tuple[Move, ...]
    doc: str
    fair: bool = False
    """Weakly fair, for each choice of its parameters: it does not stay enabled forever without being taken."""
    absent: tuple[Node | Symbol, ...] = ()
    """For a variant: parts to leave out that the replaced action lacks. A fault, reported once every declaration has its name."""
    name: str = field(default="", init=False)

    def but(
        self,
        *,
        without: Sequence[Formula | Symbol] = (),
        when: Sequence[Formula] = (),
        then: Sequence[Change] = (),
        emits: Sequence[Formula] = (),
    ) -> Step:
        """This action without some parts and with additional ones. Variants are stated this way, so that no rule is written twice.

        `without`: parts of the guard, events, and symbols (every change of the symbol by the action is left out).
        """
        refuse_other(without, (Formula, Symbol), "what is left out is a formula or a symbol")
        guard, parts = self.guard[len(self.takes) :], _parts(part for part in without if isinstance(part, Formula))
        untouched = [part for part in without if isinstance(part, Symbol)]
        absent: list[Node | Symbol] = [part for part in parts if part not in guard and part not in self.emits]
        absent += [symbol for symbol in untouched if all(change.symbol is not symbol for change in self.changes)]
        return Step(
            takes=[Formula(take) for take in self.takes],
            when=[*(Formula(conjunct) for conjunct in guard if conjunct not in parts), *when],
            then=[*(each_change for each_change in self.changes if each_change.symbol not in untouched), *then],
            emits=[*(Formula(emit) for emit in self.emits if emit not in parts), *emits],
            moves=self.moves,
            absent=absent,
        )


def _parts(formulas: Iterable[Formula]) -> list[Node]:
    """The conjuncts of formulas."""
    found: list[Node] = []
    for formula in formulas:
        found.extend(formula.node.operands if isinstance(formula.node, And) else [formula.node])
    return found


def action(*, by: Role, fair: bool = False) -> Callable[[Callable[..., Step]], Action]:
    """Declares an action of a role. If the role has one actor for each member of a sort, the first parameter is that member.

    `fair`: eventualities may rely on the action (weak fairness); an action that no role is obliged to take is not fair.
    """

    def declare(declared: Callable[..., Step]) -> Action:
        refuse_other([by], (Role,), "who acts is a role")
        parameters = parameters_of(declared)
        if fair and by.environment:
            code = declared.__code__
            sentence = (
                f"{declared.__name__} is fair, but nobody may count on the environment ({by.doc!r}): leave fair out, "
                "or give the action to another role"
            )
            raise Misdeclared(sentence, Source(code.co_filename, code.co_firstlineno))
        step: Step = declared(*(variable.sort(variable) for variable in parameters))
        refuse_other([step], (Step,), f"what {declared.__name__} returns is a Step")
        if by.each is not None and (not parameters or parameters[0].sort is not by.each):
            raise TypeError(f"{declared.__name__}: the first parameter of an action of {by.doc!r} is a {by.each.title}")
        takes = tuple(_applied(formula, "message") for formula in step.takes)
        guard = [*takes, *_parts(step.when)]
        emits = tuple(_applied(formula, "event") for formula in step.emits)
        doc = inspect.cleandoc(declared.__doc__ or "")
        then, moves, absent = tuple(step.then), tuple(step.moves), tuple(step.absent)
        made = Action(by, parameters, takes, tuple(guard), then, emits, moves, doc, fair, absent)
        return declared_by(declared, made)

    return declare


def _applied(formula: Formula, kind: Kind) -> Apply:
    node = formula.node
    if not isinstance(node, Apply) or node.symbol.kind != kind:
        raise TypeError(f"one {kind} is expected, not {formula!r}")
    return node


@dataclass(frozen=True, repr=False, eq=False)
class Alternatives(Declaration):
    """If `given` holds, exactly one choice is enabled. Parameters are shared by name; other parameters are chosen freely."""

    parameters: tuple[Variable, ...]
    given: Node
    choices: tuple[Action, ...]
    doc: str
    name: str = field(default="", init=False)


def alternatives(*choices: Action) -> Callable[[Callable[..., Formula]], Alternatives]:
    """Declares alternatives; the body is the condition under which exactly one of them applies."""

    refuse_other(
        choices, (Action,), "each of the alternatives, which stand in brackets behind @alternatives, is an action"
    )

    def declare(declared: Callable[..., Formula]) -> Alternatives:
        doc = inspect.cleandoc(declared.__doc__ or "")
        return declared_by(declared, Alternatives(*stated(declared), choices, doc))

    return declare
