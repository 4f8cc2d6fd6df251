"""A protocol as a text, and its two readings: that of the language, and one without bound variables."""

from __future__ import annotations

import ast
import json
import linecache
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from types import ModuleType
from typing import Any

from model.language import Protocol, quantifiers
from model.language.symbols import Function
from model.language.terms import Constant, Formula, Individual, Value, both, either
from model.reference.configuration import Configuration, parse
from model.reference.state import elements


@dataclass(frozen=True)
class Drawn:
    """A protocol's text, and the content of its configuration file."""

    name: str
    source: str
    world: Mapping[str, Any]

    def protocol(self) -> Protocol:
        """The protocol that the text declares. Any exception is the text's or the language's."""
        module = ModuleType(self.name)
        file = f"<{self.name}>"
        linecache.cache[file] = (len(self.source), None, self.source.splitlines(keepends=True), file)
        exec(compile(self.source, file, "exec"), vars(module))  # noqa: S102 - the text is drawn here, or the user's file
        return Protocol.of(self.name, module)

    def expanded(self, configuration: Configuration) -> tuple[Protocol, Configuration]:
        """The same text read without bound variables, in this configuration only.

        Python calls the body of each quantifier with one member after the other. Thus no name of a variable is ever compared with
        another one, and nothing can be captured. Members of sorts are constants without arguments.
        """
        module = ModuleType(self.name)
        members = _Members(configuration, vars(module))
        tree = ast.parse(self.source)
        tree.body = [part for part in tree.body if not _imports_quantifiers(part)]
        vars(module).update(forall=partial(members.joined, both), exists=partial(members.joined, either))
        exec(compile(tree, f"<{self.name}>", "exec"), vars(module))  # noqa: S102 - as above
        for name in ("forall", "exists"):
            del vars(module)[name]
        return Protocol.of(self.name, module), replace(
            configuration, constants={**configuration.constants, **members.constants}
        )

    def configuration(self, protocol: Protocol) -> Configuration:
        """The configuration of the protocol that the text declares."""
        return parse(self.name.replace("_", "-"), self.fitted(protocol).world, protocol, place=f"{self.name}.toml")

    def fitted(self, protocol: Protocol) -> Drawn:
        """The same, where the configuration has only what the protocol still declares after it was shrunk."""
        kept = {
            "sorts": {sort.__name__ for sort in protocol.sorts},
            "bounds": {number.__name__ for number in protocol.numbers},
            "constants": {symbol.name for symbol in protocol.symbols if symbol.kind == "constant"},
            "only": {action.name for action in protocol.actions},
        }
        world: dict[str, Any] = {
            key: {name: value for name, value in self.world.get(key, {}).items() if name in names}
            for key, names in kept.items()
        }
        world["without"] = [name for name in self.world.get("without", []) if name in kept["only"]]
        return replace(self, world=world)

    def toml(self) -> str:
        """The configuration as a file."""
        lines = [f"without = {json.dumps(self.world['without'])}"] if self.world.get("without") else []
        for table in ("sorts", "bounds", "constants", "only"):
            if self.world.get(table):
                lines += ["", f"[{table}]"]
                lines += [f"{name} = {_inline(value)}" for name, value in self.world[table].items()]
        return "\n".join(lines).lstrip() + "\n"

    @classmethod
    def read(cls, name: str, source: str, toml: str) -> Drawn:
        """What was saved."""
        return cls(name, source, tomllib.loads(toml))


class _Members:
    """The members of sorts as values: constants, which are declared in a module when they are first needed."""

    def __init__(self, configuration: Configuration, module: dict[str, Any]) -> None:
        self._configuration = configuration
        self._module = module
        self.constants: dict[str, Any] = {}

    def joined(self, join: Callable[..., Formula], *sorts_and_body: Any) -> Formula:
        """The body for all members, joined."""
        *sorts, body = sorts_and_body
        return join(*(body(*values) for values in product(*map(self._of, sorts))))

    def _of(self, sort: type[Value]) -> list[Value]:
        found = elements(sort, self._configuration)
        if not issubclass(sort, Individual):
            return [sort(Constant(place, sort)) for place in range(len(found))]
        values = []
        for member in found:
            name = f"member_{sort.title}_{member}"
            if name not in self._module:
                self._module[name] = Function("constant", (), sort, f"The {sort.title} {member}.")
                self.constants[name] = {(): member}
            values.append(self._module[name]())
        return values


def _imports_quantifiers(part: ast.stmt) -> bool:
    return isinstance(part, ast.ImportFrom) and part.module == quantifiers.__name__


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {json.dumps(each)}" for key, each in value.items()) + " }"
    return json.dumps(value)
