"""Explores many mutants in one kernel: the protocol and all mutants are grounded together, and a mutant is a switch.

The effects of all mutants count as possible, so one layout of states fits them all. Every action and every mutant is one compiled
function; a search gets the addresses of those that it uses. Compiling a kernel for each mutant would take a hundred times as long.

Spent messages are discarded if that is proved of the protocol itself, though it may be wrong for a mutant. So the interpreter
reruns every violation without discarding any message; a mutant whose violation it does not confirm, and one of which nothing is
proved, is explored again in a kernel that discards nothing.

A mutant's fault often has no effect in a small configuration: its code equals that of the protocol itself, or of another mutant.
Code that was explored completely without a violation is not explored again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from model.explore.explore import Exploration, search_in
from model.explore.kernel.compile import compile_module
from model.explore.kernel.emit import Emitter, claim_expressions, sorted_claims
from model.explore.kernel.ground import Ground
from model.explore.kernel.kernel import Kernel
from model.explore.kernel.layout import lay_out
from model.language import Action, Protocol
from model.language.protocol import DEADLOCK
from model.mutation.rules import Mutant, mutated
from model.reference.configuration import Configuration
from model.reference.deadlock import is_deadlock
from model.reference.interpreter import NO_EVENTS, Interpreter

CHUNK: Final = 64
"""Mutants compiled as one module: LLVM's time grows faster than the module."""

LEVEL: Final = 1
"""The optimization level of the protocol itself, where every search spends most of its time."""

MUTANTS_LEVEL: Final = 0
"""The optimization level of mutants, each one function of one search: optimizing it would take longer than searching."""

UNNAMED: Final = "@mutant("
"""The placeholder name in a mutant's code, before it is known whether the code is new."""


class Switched:
    """A protocol and mutants of it in a configuration, compiled."""

    def __init__(
        self,
        protocol: Protocol,
        configuration: Configuration,
        mutants: Sequence[Mutant],
        *,
        forget_spent: bool,
    ) -> None:
        self._protocol = protocol
        self._configuration = replace(configuration, pinned={})
        self.mutants = [mutant for mutant in mutants if mutant.original.name not in configuration.without]
        """Those whose action this configuration has."""
        ground = Ground(protocol, configuration, also=[mutant.action for mutant in self.mutants])
        claims = sorted_claims([promise for promise in protocol.promises if not promise.lemma], protocol.sometimes)
        layout = lay_out(ground, claim_expressions(ground, claims))
        emitter = Emitter(ground, layout, claims, forget_spent=forget_spent, switched=True)
        names = tuple(f"action{number}" for number in range(len(ground.actions)))
        compiled = compile_module(emitter.text(), ("expand", "check", "no_end", "cut", "goals", *names), level=LEVEL)
        self._addresses = [compiled.addresses[name] for name in names]
        self._interpreter = Interpreter(protocol, configuration)
        self._kernel = Kernel(
            ground, layout, claims, compiled, self._interpreter, forget_spent, 0.0, list(ground.initial)
        )
        self._numbers = {action: number for number, action in enumerate(ground.actions)}
        self._texts = {mutant.name: self._text(emitter, mutant.original, mutant.action) for mutant in self.mutants}
        """By mutant: the code of its action."""
        self._originals = {
            action: self._text(emitter, action, action) for action in {mutant.original for mutant in self.mutants}
        }
        self._functions: dict[str, int] = {}
        """By code: where it is compiled."""
        self._modules = []
        texts = list(dict.fromkeys(self._texts.values()))
        for first in range(0, len(texts), CHUNK):
            chunk = {f"mutant{first + place}": text for place, text in enumerate(texts[first : first + CHUNK])}
            text = "\n".join(text.replace(UNNAMED, f"@{name}(", 1) for name, text in chunk.items())
            self._modules.append(
                compile_module(text, tuple(chunk), level=MUTANTS_LEVEL)
            )  # kept, since its code is in use
            self._functions |= {text: self._modules[-1].addresses[name] for name, text in chunk.items()}
        self._unbroken: dict[str, Exploration] = {}
        """By code: what was explored completely without a violation."""

    def _text(self, emitter: Emitter, original: Action, action: Action) -> str:
        return emitter.function(UNNAMED[1:-1], self._numbers[original], action, internal=False)

    def unchanged(self) -> Exploration:
        """The exploration of the protocol itself."""
        found = search_in(self._kernel, self._protocol, self._configuration, addresses=self._addresses)
        if found.verdict == "holds":
            self._unbroken |= dict.fromkeys(self._originals.values(), found)
        return found

    def is_seen(self, mutant: Mutant, found: Exploration) -> bool:
        """Whether the interpreter, which discards nothing, sees the same violation at the end of the same run."""
        assert found.trace is not None
        interpreter = self._interpreter.with_action(mutant.action)
        before = state = found.trace.states[0]
        events = NO_EVENTS
        for step in found.trace.steps:
            if not interpreter.is_enabled(state, step):
                return False
            before = state
            state, events = interpreter.apply(before, step)
        if found.violated == DEADLOCK:
            return is_deadlock(interpreter, state)
        promises = [promise for promise in self._protocol.promises if promise.name == found.violated]
        return interpreter.violated(before, state, events, promises) is not None

    def of(self, mutant: Mutant, states_max: int) -> Exploration:
        """The exploration of a mutant.

        Raises:
            UnconfirmedError: it found a run that is none of the mutant, which needs a message that was discarded.
        """
        text = self._texts[mutant.name]
        known = self._unbroken.get(text)
        if known is not None and known.distinct <= states_max:
            return known
        addresses = list(self._addresses)
        addresses[self._numbers[mutant.original]] = self._functions[text]
        kernel = replace(self._kernel, interpreter=self._interpreter.with_action(mutant.action))
        found = search_in(
            kernel, mutated(self._protocol, mutant), self._configuration, states_max=states_max, addresses=addresses
        )
        if found.verdict == "holds":
            self._unbroken[text] = found
        return found
