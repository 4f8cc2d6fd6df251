"""Draws protocols: the text of a file as a user would write it, and a configuration.

Protocol number k of a seed is always the same one. What is drawn is small, so that the plain interpreter can visit every state, and
unpleasant: variables are called by three names only, so that they shadow each other and would be captured by careless renaming;
changes overlap; numbers reach their bounds; messages are spent by all kinds of conditions.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from model.agreement.drawn import Drawn
from model.agreement.formulas import (
    COLORS,
    GUARD,
    NAMES,
    ROLES,
    SORTS,
    STATES,
    STEPS,
    Drawable,
    Environment,
    Formulas,
    Reads,
)

_HEAD: Final = """\
from __future__ import annotations

from model.language import (
    Role,
    Step,
    action,
    alternatives,
    always,
    deadlock_when,
    definition,
    event,
    for_each,
    function,
    message,
    relation,
    sometimes,
    two_state,
    variant,
)
from model.language.quantifiers import exists, forall
from model.language.terms import FALSE, TRUE, Enumeration, Formula, Individual, Member, Number, choose, implies, same
"""


def draw(seed: int, number: int) -> Drawn:
    """Protocol `number` of a seed."""
    return _Drawing(random.Random(f"{seed} {number}"), name=f"drawn-{seed}-{number}").whole()


@dataclass
class _Drawing(Formulas):
    name: str = ""
    bound: int = 1
    free: bool = False
    """Whether the system belongs to the environment, which is obliged to nothing."""

    # ------------------------------------------------------------------------------------------------ the whole

    def whole(self) -> Drawn:
        chance = self.chance
        self.bound = chance.choice((1, 1, 2, 3))
        self.sorts = {"Thing": ["t1", "t2", "t3"][: chance.choice((1, 2, 2, 3))]}
        if chance.random() < 0.4:
            self.sorts["Place"] = ["p1", "p2"][: chance.randint(1, 2)]
        self.sorts["Color"] = list(COLORS[: chance.randint(2, 3)])
        self.sorts["Count"] = [str(value) for value in range(self.bound + 1)]
        parts = [_HEAD, *self._vocabulary()]
        parts += [self._message(number) for number in range(chance.choice((0, 1, 1, 2)))]
        parts += [self._calling(number) for number in range(chance.choice((0, 1, 1, 2, 3)))]
        actions = [self._action(number) for number in range(chance.randint(2, 4))]
        parts += [text for _, _, text in actions]
        if len(actions) > 1 and chance.random() < 0.3:
            parts.append(self._alternatives(actions))
        if chance.random() < 0.6:
            parts.append(self._deadlock_when())
        replaced, parameters, _ = actions[0]
        promises = [self._promise(number) for number in range(chance.randint(1, 3))]
        parts += [text for _, text in promises]
        breaks = ", ".join(name for name, _ in promises)
        parts.append(
            f"@variant(replaces={replaced}, breaks=[{breaks}])\n"
            f"def deviates({_declared(parameters)}) -> Step:\n"
            f'    """Acts always."""\n'
            f"    return Step(then={replaced}.changes)\n"
        )
        return Drawn(self.name, "\n\n".join(parts), self._world(actions))

    def _world(self, actions: Sequence[tuple[str, Environment, str]]) -> dict[str, Any]:
        chance = self.chance
        world: dict[str, Any] = {
            "sorts": {name: members for name, members in self.sorts.items() if SORTS[name] == "individual"},
            "bounds": {"Count": self.bound},
            "constants": {},
        }
        for symbol in self.symbols:
            if symbol.kind != "constant":
                continue
            keys = list(product(*(self._members(sort) for sort in symbol.arguments)))
            if symbol.result == "Formula":
                world["constants"][symbol.name] = [list(key) for key in keys if chance.random() < 0.5]
            else:
                values = self._members(symbol.result)
                world["constants"][symbol.name] = {",".join(map(str, key)): chance.choice(values) for key in keys}
        if len(actions) > 1 and chance.random() < 0.15:
            world["without"] = [chance.choice(actions)[0]]
        name, parameters, _ = chance.choice(actions)
        if parameters and chance.random() < 0.25:
            choices = [["*", *map(str, self._members(sort))] for sort in parameters.values()]
            world["only"] = {name: [",".join(map(chance.choice, choices)) for _ in range(chance.randint(1, 2))]}
        return world

    def _members(self, sort: str) -> list[Any]:
        return list(range(self.bound + 1)) if sort == "Count" else self.sorts[sort]

    # ------------------------------------------------------------------------------------------ what is declared

    def _vocabulary(self) -> list[str]:
        chance, parts = self.chance, []
        for sort, members in self.sorts.items():
            if SORTS[sort] == "enumeration":
                listed = "".join(f'\n    {name} = Member("{name.lower()}")' for name in members)
                parts.append(f'class {sort}(Enumeration):\n    """A {sort.lower()}."""\n{listed}\n')
            else:
                kind = SORTS[sort].capitalize()
                parts.append(f'class {sort}({kind}):\n    """A {sort.lower()}."""\n')
        self.free = chance.random() < 0.2
        free = ", environment=True" if self.free else ""
        lines = [f'SYSTEM = Role("The system."{free})', 'WORKER = Role("A worker.", each=Thing)']
        for number in range(chance.randint(2, 4)):
            kind = chance.choice(("state",) * 7 + ("constant", "history")) if number else "state"
            made = self._symbol(f"{kind}_{number}", kind)
            lines.append(f"{made.name} = {_stated(made)}")
        for number in range(chance.randint(0, 1)):
            made = Drawable(f"event_{number}", "event", self._some_sorts(1, 2), "Formula")
            self.symbols.append(made)
            lines.append(f'{made.name} = event({", ".join(made.arguments)}, doc="An event.")')
        return [*parts, "\n".join(lines) + "\n"]

    def _some_sorts(self, least: int, most: int) -> tuple[str, ...]:
        weighted = [sort for sort in self.sorts for _ in range(4 if sort == "Thing" else 1)]
        return tuple(self.chance.choice(weighted) for _ in range(self.chance.choice((least, least, most))))

    def _symbol(self, name: str, kind: str) -> Drawable:
        results = ["Formula", "Formula", "Formula", "Count", "Count", "Color"]
        if kind == "constant":
            results.append("Thing")
        result = self.chance.choice(results)
        arguments = self._some_sorts(1, 2)
        if kind == "constant" and result != "Formula":  # a file gives a value for each of several members
            arguments = ("Thing",)
        made = Drawable(name, kind, arguments, result)
        self.symbols.append(made)
        return made

    def _message(self, number: int) -> str:
        parameters = self._parameters(0, 2)
        name = f"message_{number}"
        spent = "FALSE" if self.chance.random() < 0.3 else self.formula(parameters, 1, ROLES)
        lasting = ", lasting=True" if self.chance.random() < 0.25 else ""
        self.symbols.append(Drawable(name, "message", tuple(parameters.values()), "Formula"))
        return (
            f"@message(sender=SYSTEM, receiver=WORKER{lasting})\n"
            f"def {name}({_declared(parameters)}) -> Formula:\n"
            f'    """A message."""\n'
            f"    return {spent}\n"
        )

    def _calling(self, number: int) -> str:
        """A definition, or a function that is no declaration at all."""
        parameters = self._parameters(0, 2, "Thing")
        result = self.chance.choice(("Formula", "Formula", "Formula", "Count", "Color"))
        decorated = "@definition\n" if self.chance.random() < 0.6 else ""
        name = f"{'definition' if decorated else 'helper'}_{number}"
        if result != "Formula":
            body = self.within(result, parameters, 2, ROLES)
        elif self.chance.random() < 0.6:
            body = self.of_another(parameters, ROLES)
        else:
            body = self.formula(parameters, 2, ROLES)
        self.symbols.append(Drawable(name, "called", tuple(parameters.values()), result))
        return f'{decorated}def {name}({_declared(parameters)}) -> {result}:\n    """It is computed."""\n    return {body}\n'

    def _parameters(self, least: int, most: int, first: str = "") -> dict[str, str]:
        """Parameters of any sorts under names of the few."""
        count = self.chance.randint(least, most)
        names = self.names(count)
        return {name: first if first and not place else self._some_sorts(1, 1)[0] for place, name in enumerate(names)}

    def _action(self, number: int) -> tuple[str, Environment, str]:
        chance = self.chance
        role = chance.choice(("SYSTEM", "WORKER"))
        parameters = self._parameters(1, 3, "Thing") if role == "WORKER" else self._parameters(0, 2)
        takes = []
        for symbol in self.of_kinds("message"):
            if chance.random() < (0.3 if number else 0.0):
                free = [self.variable(sort, parameters) for sort in symbol.arguments]
                if None not in free:
                    takes.append(f"{symbol.name}({', '.join(map(str, free))})")
        conjuncts = chance.choice((0, 0, 1, 1, 2) if number else (0, 0, 0, 1))
        when = [self.formula(parameters, chance.choice((1, 1, 2)), GUARD) for _ in range(conjuncts)]
        then = [self._change(parameters, grows=not place) for place in range(chance.choice((1, 1, 2, 2, 3)))]
        emits = [
            f"{symbol.name}({self.values(symbol.arguments, parameters, 2, ROLES)})"
            for symbol in self.of_kinds("event")
            if chance.random() < 0.6 and self.can(symbol.arguments, parameters)
        ]
        given = (("takes", takes), ("when", when), ("then", then), ("emits", emits))
        fields = "".join(f"        {name}=[{', '.join(parts)}],\n" for name, parts in given if parts)
        name = f"action_{number}"
        obliged = chance.random() < 0.3 and not (role == "SYSTEM" and self.free)
        fair = ", fair=True" if obliged else ""
        text = (
            f"@action(by={role}{fair})\n"
            f"def {name}({_declared(parameters)}) -> Step:\n"
            f'    """It acts."""\n'
            f"    return Step(\n{fields}    )\n"
        )
        return name, parameters, text

    def _alternatives(self, actions: Sequence[tuple[str, Environment, str]]) -> str:
        (one, parameters, _), (other, _, _) = self.chance.sample(list(actions), 2)
        return (
            f"@alternatives({one}, {other})\n"
            f"def either_applies({_declared(parameters)}) -> Formula:\n"
            f'    """One of them applies."""\n'
            f"    return {self.formula(parameters, 1, ROLES)}\n"
        )

    def _deadlock_when(self) -> str:
        parameters = self._parameters(0, 1)
        said = self.formula(parameters, 1, STATES)
        return (
            f"@deadlock_when\n"
            f"def unfinished({_declared(parameters)}) -> Formula:\n"
            f'    """Something is left to do."""\n'
            f"    return {said}\n"
        )

    def _promise(self, number: int) -> tuple[str, str]:
        chance = self.chance
        parameters = self._parameters(0, chance.choice((0, 1, 2)))
        steps = chance.random() < 0.4
        reads = STEPS if steps else STATES
        witness = self.formula(parameters, 1, STEPS if steps and chance.random() < 0.5 else STATES)
        name = f"promise_{number}"
        said = self.quantified(parameters, 2, reads) if chance.random() < 0.4 else self.formula(parameters, 2, reads)
        if chance.random() < 0.8:  # otherwise it is mostly broken at once
            premises = [self._later(parameters) for _ in range(chance.randint(1, 2))]
            said = f"implies({' & '.join(premises)}, {said})"
        kind = "two_state" if steps else "always"
        return name, (
            f"@sometimes\n"
            f"def witness_{number}({_declared(parameters)}) -> Formula:\n"
            f'    """It happens."""\n'
            f"    return {witness}\n\n\n"
            f"@{kind}(witness_{number})\n"
            f"def {name}({_declared(parameters)}) -> Formula:\n"
            f'    """It is promised."""\n'
            f"    return {said}\n"
        )

    def _later(self, environment: Environment) -> str:
        """A formula that is false at the start, and may become true."""
        kinds = self.of_kinds("state", "history", "message")
        able = [symbol for symbol in kinds if self.can(symbol.arguments, environment)]
        if not able:
            return f"~{self.formula(environment, 1, STATES)}"
        symbol = self.chance.choice(able)
        read = f"{symbol.name}({self.values(symbol.arguments, environment, 1, ROLES)})"
        first = {"Formula": "", "Count": " != Count.of(0)", "Color": " != Color.RED"}[symbol.result]
        return f"({read}{first})" if first else read

    # ------------------------------------------------------------------------------------------------- changes

    def _change(self, environment: Environment, *, grows: bool) -> str:
        """A change, for all values of some sort or for one. `grows`: it leads to another state, as long as there is one."""
        symbol = self.chance.choice(self.of_kinds("state", "history", "message"))
        names = self.names(len(symbol.arguments))
        bound = [self.chance.random() < 0.25 for _ in names]
        places = list(zip(names, symbol.arguments, bound, strict=True))
        binders = {name: sort for name, sort, bind in places if bind}
        if not self.can([sort for _, sort, bind in places if not bind], {**environment, **binders}):
            binders = dict(zip(names, symbol.arguments, strict=True))
        inner = {**environment, **binders}
        reads = STATES if symbol.kind == "history" else GUARD
        every = len(binders) == len(names)
        arguments = [name if bind or every else self.within(sort, inner, 1, reads) for name, sort, bind in places]
        text = self._assigned(symbol, arguments, inner, reads, grows)
        if not grows and self.chance.random() < 0.25:
            text += f".when({self.formula(inner, 1, reads)})"
        if binders:
            return f"for_each({', '.join(binders.values())}, lambda {', '.join(binders)}: {text})"
        return text

    def _assigned(self, symbol: Drawable, arguments: list[str], inner: Environment, reads: Reads, grows: bool) -> str:
        leaves = "Count" in symbol.arguments and not grows and self.chance.random() < 0.2
        if leaves:  # a step that writes what is no number of its sort is cut
            arguments = [
                self.term(sort, inner, 1, reads) if sort == "Count" and argument not in NAMES else argument
                for sort, argument in zip(symbol.arguments, arguments, strict=True)
            ]
        listed = ", ".join(arguments)
        comma = ", " if arguments else ""
        if symbol.kind == "message":
            return f"{symbol.name}.send({listed})"
        if symbol.result != "Formula":
            value = self.term(symbol.result, inner, 1, reads)
            if symbol.result == "Count" and not leaves and (grows or self.chance.random() < 0.3):
                value = f"{symbol.name}({listed}) + 1"
            elif symbol.result == "Color" and grows:
                value = "Color.GREEN"
            return f"{symbol.name}.assign({listed}{comma}to={value})"
        way = "add" if grows else self.chance.choice(("add", "remove", "assign"))
        if way == "assign":
            return f"{symbol.name}.assign({listed}{comma}to={self.formula(inner, 1, reads)})"
        return f"{symbol.name}.{way}({listed})"


def _declared(parameters: Environment) -> str:
    return ", ".join(f"{name}: {sort}" for name, sort in parameters.items())


def _stated(symbol: Drawable) -> str:
    kind = f', kind="{symbol.kind}"' if symbol.kind != "state" else ""
    sorts = ", ".join(symbol.arguments)
    if symbol.result == "Formula":
        return f'relation({sorts}, doc="A relation."{kind})'
    return f'function({sorts}, to={symbol.result}, doc="A function."{kind})'
