"""Draws formulas and terms as text, of the symbols that are declared so far."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

NAMES: Final = ("x", "y", "other")
"""All names of parameters and bound variables."""

SORTS: Final = {"Thing": "individual", "Place": "individual", "Color": "enumeration", "Count": "number"}
COLORS: Final = ("RED", "GREEN", "BLUE")

Environment = Mapping[str, str]
"""The sort of each variable, by name."""


@dataclass(frozen=True)
class Drawable:
    name: str
    kind: str
    """That of the language; or `called`: a definition, or a helper that is no declaration."""
    arguments: tuple[str, ...]
    result: str
    """`Formula`, or the sort of its values."""


@dataclass(frozen=True)
class Reads:
    """What a formula may read."""

    kinds: tuple[str, ...]
    after: bool = False


ROLES: Final = Reads(("state", "constant", "called"))
GUARD: Final = Reads((*ROLES.kinds, "message"))
STATES: Final = Reads((*GUARD.kinds, "history"))
STEPS: Final = Reads((*STATES.kinds, "event"), after=True)


@dataclass
class Formulas:
    """What is declared so far, and what may be said of it."""

    chance: random.Random
    symbols: list[Drawable] = field(default_factory=list)
    sorts: dict[str, list[str]] = field(default_factory=dict)
    """The members of each."""

    def formula(self, environment: Environment, depth: int, reads: Reads) -> str:
        """A formula, as an operand of anything."""

        def inner() -> str:
            return self.formula(environment, depth - 1, reads)

        ways: list[Callable[[], str]] = [lambda: self._atom(environment, depth, reads)]
        if depth > 0:
            ways += [
                ways[0],
                lambda: f"({inner()} & {inner()})",
                lambda: f"({inner()} | {inner()})",
                lambda: f"~{inner()}",
                lambda: f"implies({inner()}, {inner()})",
                *[lambda: self.quantified(environment, depth, reads)] * 3,
                lambda: f"same({inner()}, {inner()})",
                lambda: f"choose({inner()}, {inner()}, {inner()})",
            ]
        return self.chance.choice(ways)()

    def quantified(self, environment: Environment, depth: int, reads: Reads) -> str:
        names = self.names(self.chance.choice((1, 1, 1, 2)))
        # Seldom over numbers, of which a proof has more than a configuration.
        sorts = ["Count" if self.chance.random() < 0.05 else self.chance.choice(self._finite) for _ in names]
        bound = dict(zip(names, sorts, strict=True))
        called = [one for one in self.of_kinds("called") if one.result == "Formula" and self.can(one.arguments, bound)]
        if called and self.chance.random() < 0.4:  # another quantifier in it may have the same variable
            body = self._applied(self.chance.choice(called), bound, 0, reads)
        else:
            body = self.formula({**environment, **bound}, depth - 1, reads)
        return f"{self.chance.choice(('forall', 'exists'))}({', '.join(sorts)}, lambda {', '.join(names)}: {body})"

    def of_another(self, environment: Environment, reads: Reads) -> str:
        """What holds of all, or of some, that differ from a variable: called with another variable, it tempts to capture."""
        own = [name for name, sort in environment.items() if sort == "Thing"]
        if not own:
            return self.quantified(environment, 2, reads)
        chosen = self.chance.choice(own)
        name = self.chance.choice([name for name in NAMES if name != chosen])
        said = self.formula({**environment, name: "Thing"}, 1, reads)
        if self.chance.random() < 0.5:
            return f"forall(Thing, lambda {name}: implies(({name} != {chosen}), {said}))"
        return f"exists(Thing, lambda {name}: (({name} != {chosen}) & {said}))"

    @property
    def _finite(self) -> list[str]:
        return [*(sort for sort in self.sorts if sort != "Count"), "Thing", "Thing"]

    def _atom(self, environment: Environment, depth: int, reads: Reads) -> str:
        chance = self.chance
        symbols = [one for one in self.of_kinds(*reads.kinds) if one.result == "Formula"]
        symbols = [one for one in symbols if self.can(one.arguments, environment)]
        way = chance.random()
        if way < 0.02:
            return chance.choice(("TRUE", "FALSE"))
        called = [one for one in symbols if one.kind == "called"]
        if way < 0.4 and called:
            return self._applied(chance.choice(called), environment, 0, reads)
        if way < 0.75 and symbols:
            return self._applied(chance.choice(symbols), environment, depth, reads)
        named = list(environment.values())
        sort = chance.choice([*(sort for sort in self.sorts if named.count(sort) > 1), "Count", "Color"])
        operator = chance.choice(("==", "!=", "<", "<=", ">", ">=") if sort == "Count" else ("==", "!="))
        left, right = (self.term(sort, environment, max(depth, least), reads) for least in (1, 0))
        return f"({left} {operator} {right})"

    def _applied(self, symbol: Drawable, environment: Environment, depth: int, reads: Reads) -> str:
        values = self.values(symbol.arguments, environment, depth, reads)
        later = reads.after and symbol.kind in ("state", "history", "message") and self.chance.random() < 0.4
        if symbol.kind == "message" and (later or self.chance.random() < 0.85):
            return f"{symbol.name}.{'begins' if later else 'unspent'}({values})"
        return f"{symbol.name}{'.after' if later else ''}({values})"

    def term(self, sort: str, environment: Environment, depth: int, reads: Reads) -> str:
        """A value of a sort; a number may be larger than every number of the configuration."""
        chance = self.chance
        if sort == "Count" and chance.random() < 0.4:
            base = self.within(sort, environment, depth, reads)
            return chance.choice(
                (
                    f"({base} + 1)",
                    f"({base} + 2)",
                    f"({base} + -1)",
                    "Count.of(3)",
                    f"(2 * {base})",
                    f"({base} + {self.within(sort, environment, depth, reads)})",
                )
            )
        return self.within(sort, environment, depth, reads)

    def within(self, sort: str, environment: Environment, depth: int, reads: Reads) -> str:
        """A value of a sort that is one of its members in every configuration."""
        chance = self.chance
        ways: list[Callable[[], str]] = []
        ways += [partial(str, name) for name, of in environment.items() if of == sort] * 2
        if sort == "Count":
            ways.append(lambda: f"Count.of({chance.randint(0, 1)})")
        elif sort == "Color":
            ways.append(lambda: f"Color.{chance.choice(self.sorts['Color'])}")
        if depth > 0:
            for one in self.of_kinds(*reads.kinds):
                if one.result == sort and self.can(one.arguments, environment):
                    ways += [partial(self._applied, one, environment, depth, reads)] * 3
            if chance.random() < 0.3:
                ways.append(lambda: self._chosen(sort, environment, depth, reads))
        return chance.choice(ways)()

    def _chosen(self, sort: str, environment: Environment, depth: int, reads: Reads) -> str:
        chosen, otherwise = (self.within(sort, environment, depth - 1, reads) for _ in range(2))
        return f"choose({self.formula(environment, depth - 1, reads)}, {chosen}, {otherwise})"

    def values(self, sorts: Sequence[str], environment: Environment, depth: int, reads: Reads) -> str:
        return ", ".join(self.within(sort, environment, depth - 1, reads) for sort in sorts)

    def names(self, count: int) -> list[str]:
        """So many different names; mostly the first ones, so that they meet again."""
        usual = count < len(NAMES) and self.chance.random() < 0.7
        return self.chance.sample(NAMES[: len(NAMES) - usual], count)

    def variable(self, sort: str, environment: Environment) -> str | None:
        """A variable, or a fixed value, of a sort."""
        ways = [name for name, of in environment.items() if of == sort] * 3
        ways += ["Count.of(1)"] if sort == "Count" else [f"Color.{COLORS[0]}"] if sort == "Color" else []
        return self.chance.choice(ways) if ways else None

    def can(self, sorts: Sequence[str], environment: Environment) -> bool:
        """Whether there is a term of each of these sorts."""
        return all(sort in ("Count", "Color") or sort in environment.values() for sort in sorts)

    def of_kinds(self, *kinds: str) -> list[Drawable]:
        return [symbol for symbol in self.symbols if symbol.kind in kinds]
