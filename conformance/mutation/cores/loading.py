"""Cores from changed source: a mutant's module, and those that import it, executed again beside the real ones."""

from __future__ import annotations

import ast
import builtins
import importlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from types import CodeType, ModuleType
from typing import Any, Final

from conformance.mutation.cores.modules import MODULES
from conformance.mutation.cores.source import ROOT, Source
from conformance.replay.cores import Cores
from impl.roles import message_queue_roles, on_demand_roles
from model.language import Source as Declared

ROLES: Final = (
    *(on_demand_roles.DpmRole, on_demand_roles.NcmRole, on_demand_roles.AcaRole),
    *(message_queue_roles.DpmRole, message_queue_roles.AcaRole),
)


@lru_cache(maxsize=32)
def source(module: str) -> Source:
    """A module's source, parsed once."""
    return Source(module)


@lru_cache(maxsize=32)
def _code(module: str) -> CodeType:
    return source(module).compiled()


@lru_cache(maxsize=32)
def _imports(module: str) -> frozenset[str]:
    tree = ast.parse(source(module).text)
    return frozenset(str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))


def line_of(of: str, protocol: str) -> Declared | None:
    """The place of the function or class that a mutant changes; none if it no longer exists."""
    for module in MODULES[protocol]:
        own = f"{module.removeprefix('impl.')}."
        line = source(module).line_of(of.removeprefix(own)) if of.startswith(own) else None
        if line is not None:
            return Declared(str(ROOT / source(module).path), line)
    return None


def mutated(name: str) -> Cores | None:
    """The cores with the mutant of this name, as the mutation table has it; None if there is none."""
    for protocol, modules in MODULES.items():
        for module in modules:
            if name.startswith(f"{module.removeprefix('impl.')}."):
                for number, mutant in enumerate(source(module).mutants):
                    if mutant.name == name:
                        return cores_with(protocol, module, source(module).compiled(number))
    return None


def cores_with(protocol: str, module: str, code: CodeType) -> Cores:
    """The protocol's cores, with this code in a module's place.

    Raises:
        Exception: whatever the code raises when it is executed.
    """
    anew: dict[str, ModuleType] = {}
    for name in MODULES[protocol]:
        if name == module:
            anew[name] = _executed(name, code, anew)
        elif anew.keys() & _imports(name):
            anew[name] = _executed(name, _code(name), anew)
    return _as_cores(anew)


def _executed(name: str, code: CodeType, anew: Mapping[str, ModuleType]) -> ModuleType:
    """A module of its own, which gets the other new ones where it imports them."""

    def imported(wanted: str, *others: Any, **more: Any) -> ModuleType:
        return anew[wanted] if wanted in anew else builtins.__import__(wanted, *others, **more)

    module = ModuleType(name)
    module.__dict__["__builtins__"] = {**vars(builtins), "__import__": imported}
    exec(code, module.__dict__)  # noqa: S102 - the text is ours, with a change that is ours
    return module


def _as_cores(anew: Mapping[str, ModuleType]) -> Cores:
    def of(module: str, name: str) -> Any:
        return getattr(anew[module] if module in anew else importlib.import_module(module), name)

    cores = Cores(of("impl.on_demand.dpm", "Dpm"), of("impl.on_demand.ncm", "Ncm"), of("impl.on_demand.aca", "Aca"))
    message_queue_dpm, decision = (
        of("impl.message_queue.dpm", "MessageQueueDpm"),
        of("impl.message_queue.thresholds", "Thresholds"),
    )
    return replace(
        cores,
        message_queue_dpm=partial(_deciding, message_queue_dpm, decision),
        message_queue_aca=of("impl.message_queue.aca", "MessageQueueAca"),
        roles={kind: of(kind.__module__, kind.__name__) for kind in ROLES},
    )


def _deciding(core: Any, decision: Any, given: Any) -> Any:
    """A core with its own kind of decision."""
    return core(decision(given.many_ports, given.many_in_a_group, given.patience))
