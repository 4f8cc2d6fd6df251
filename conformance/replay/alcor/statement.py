"""The run of the specification that NCM is held against: it grows by one step at a time, and the interpreter executes each.

No host of it counts as correct. What NCM owes a host does not depend on that, and a Byzantine agent can say at any time
whatever a correct one says: thus the hosts that are played here need no agent's state.
"""

from __future__ import annotations

from dataclasses import replace

from conformance.replay.driver import NotDrivable
from model.language import Protocol
from model.reference.configuration import Configuration
from model.reference.interpreter import interpreter_of
from model.reference.state import Element, Occurrence, State, Tuple, initial_state


class Statement:
    """The run of the specification that NCM is held against, so far."""

    def __init__(self, protocol: Protocol, configuration: Configuration) -> None:
        free = replace(
            configuration,
            constants={**configuration.constants, "correct": frozenset()},
            without=frozenset(),
            only={},
        )
        self.protocol, self.interpreter = protocol, interpreter_of(protocol, free)
        self.state: State = initial_state(protocol, free)
        self._parameters = {
            action.name: tuple(variable.name for variable in action.parameters) for action in protocol.actions
        }
        (reason,) = (enumeration for enumeration in protocol.enumerations if enumeration.__name__ == "Reason")
        self._reasons = reason.names()

    def take(self, action: str, *choices: Element) -> bool:
        """Takes a step if it is possible, and returns whether it was."""
        occurrence = Occurrence(action, tuple(zip(self._parameters[action], choices, strict=True)))
        if not self.interpreter.is_enabled(self.state, occurrence):
            return False
        self.state, _ = self.interpreter.apply(self.state, occurrence)
        return True

    def must(self, action: str, *choices: Element) -> None:
        """Takes a step that the trace has.

        Raises:
            NotDrivable: it is not possible here.
        """
        if not self.take(action, *choices):
            said = ", ".join(map(str, choices))
            raise NotDrivable(f"{action}({said}) is not possible where every host is met from the start")

    def epoch(self, host: Element) -> int:
        """The newest epoch of the host that NCM has met."""
        return int(self.state.functions["greeted"][host,])

    def confirm(self, host: Element, pod: Element, version: Element) -> None:
        """The host's agent has replied to a push."""
        said = (host, self.epoch(host), pod, version)
        self.take("forge_applied", *said)
        self.take("acknowledge", *said)

    def answer(self, request: Tuple) -> Occurrence | None:
        """The step by which NCM answers a request now, and takes it; none: it may not be answered."""
        self.take("forge_request", *request)
        version = self.state.functions["recorded"][request[-1],]
        reasons = self._reasons
        for action, choices in (("grant", (version,)), *(("refuse", (why,)) for why in reasons)):
            if self.take(action, *request, *choices):
                return Occurrence(action, tuple(zip(self._parameters[action], (*request, *choices), strict=True)))
        return None
