"""One trace against an NCM that runs: DPM and the hosts do what the trace says, and NCM has to do what the statement says.

NCM acts when it likes, so the trace is not followed to the letter: **the run that is held against the statement** is made of the
trace's steps as this wire has them, and every step of it is executed by the interpreter. It differs from the trace in this:

| step | on the wire |
|---|---|
| first start and greeting of a host | none: whom DPM names counts as met, so all hosts are met before the first step |
| a later greeting, by hello or by a request | `AGENT_RESTARTED`; epochs have no numbers here, so none can be left out |
| a version issued, a request made | nothing yet: it is sent when NCM takes it, so it is late where the trace has it late |
| a version stored, superseded, or sent again | `PushGoalStatesStream` of DPM |
| a request granted or refused | `RequestGoalStates` of the host |
| what agents learn, confirm and do with packets | the reply to the push; what is taken must have been sent |
| a change done, and heard of | a status for the port, if NCM gives one; where it says nothing, the step is not seen |
| what NCM does of its own accord, and cannot be made to | left out, with the reason; the trace counts as not driven to its end |

**What is judged.** Each goal state that comes to a host, whenever it comes: everything in it must have been sent by the run. Each
request's status: SUCCESS only after what was granted had come to that host. Each version stored: it comes to whom it concerns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from conformance.replay.alcor.answering import Answering
from conformance.replay.alcor.judging import Diverges, Judge, noted
from conformance.replay.alcor.peers import Peers
from conformance.replay.alcor.scene import Scene
from conformance.replay.alcor.statement import Statement
from conformance.replay.driver import NotDrivable, process_of
from conformance.replay.lockstep import Divergence, Replay
from conformance.replay.replays import Vector
from model.language import Action
from model.language import Protocol as Specification
from model.reference.state import Element, Occurrence, Tuple

NOT_DRIVEN: Final[Mapping[str, str]] = {
    "restart_ncm": "nobody here can make NCM crash",
    "deregister": "Alcor's wire has no word for a host that leaves",
    "remind": "every push is confirmed at once, so that NCM has nobody to remind",
    "report_failed": "every push is confirmed at once, so that no change has to fail",
}
"""What NCM cannot be made to do through this interface."""

OUTCOMES: Final[Mapping[str, str]] = {"done": "SUCCESS", "superseded": "OUT_OF_ORDER", "failed": "FAILURE"}
"""The status of a port for each outcome of its version."""


class ComeIn(Protocol):
    """Goal states of all runs that arrived at hosts and were not looked at yet."""

    def judge(self, run: Run) -> list[Diverges]:
        """What of it must not come, and is of this run, the present one, or of no run's; the rest is noted where it belongs."""


@dataclass
class _Progress:
    done: int = 0
    left_out: int = 0
    """Of these."""
    deliveries: int = 0


class Run:
    """See the module. Kept after its end: what comes late is judged by it."""

    def __init__(self, vector: Vector, scene: Scene, peers: Peers, come_in: ComeIn) -> None:
        trace = vector.trace
        self.vector, self.scene, self._peers, self._come_in = vector, scene, peers, come_in
        end = len(trace.steps) if vector.diverges_at is None else vector.diverges_at
        self._steps: Sequence[Occurrence] = trace.steps[:end]
        self._actions = [_named(vector.base, step) for step in self._steps]
        if vector.diverges_at is not None:
            self._actions[-1] = _named(vector.protocol, self._steps[-1])
        self.statement = Statement(vector.base, trace.configuration)
        self.judge = Judge(scene, self.statement, peers)
        self._answering = Answering(self.judge)
        self._said: dict[tuple[Element, int], set[str]] = {}
        """What NCM has said to DPM of a version."""
        self.divergences: list[Divergence] = []
        self.kinds: list[str] = []
        """Of each divergence."""
        self._unseen = ""
        self._progress = _Progress()

    def run(self) -> Replay:
        """Drives the trace up to a step that cannot be driven. A divergence ends nothing: the statement does not depend on NCM.

        Raises:
            EnvironmentProblem: NCM cannot be reached.
        """
        started, mark = time.perf_counter(), self._peers.mark
        because = ""
        try:
            self._begin()
            self._look()
            while self._progress.done < len(self._steps):
                self._progress.done += self._step(self._progress.done)
        except NotDrivable as problem:
            because = f"step {self._progress.done + 1}, {self._steps[self._progress.done]}: {problem}"
        because = self._unseen or because
        self._leave()
        divergence = self.divergences[0] if self.divergences else None
        received = self.scene.received(self._peers.since(mark))
        return Replay(
            self.vector.name,
            "diverges" if divergence is not None else "not driven" if because else "conforms",
            self._progress.done - self._progress.left_out,
            self._progress.deliveries,
            0,
            0,
            time.perf_counter() - started,
            divergence,
            because,
            received,
        )

    def with_late(self, result: Replay) -> Replay:
        """The result, with what came when the run was over."""
        if result.divergence is not None or not self.divergences:
            return result
        return replace(result, verdict="diverges", divergence=self.divergences[0])

    def note(self, found: Diverges, *, late: bool = False) -> None:
        """Notes a divergence in the present step, or after the last one."""
        number = min(self._progress.done + found.behind, len(self._steps) - 1)
        step = f"after {self._steps[-1]}" if late else str(self._steps[number])
        said = found.field, found.expected, found.observed, found.because
        divergence = Divergence(self.vector.name, len(self._steps) if late else number + 1, step, *said)
        if divergence not in self.divergences:
            self.divergences.append(divergence)
            self.kinds.append(found.kind)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        found: list[Diverges] = []
        with noted(found):
            yield
        for item in found:
            self.note(item)

    def _look(self) -> None:
        for found in self._come_in.judge(self):
            self.note(found)

    def _begin(self) -> None:
        for host in self.scene.hosts:
            self.statement.must("forge_hello", host, 1)
            self.statement.must("greet", host, 1)
            self.judge.forget(host)

    def _leave(self) -> None:
        """DPM removes the pods that still exist, so that nothing of the trace remains. What NCM does then is not judged."""
        if self.scene.manner.deaf:
            return  # NCM would wait for those
        goal = self.scene.schema.GoalStateV2()
        for pod, version, one in self.scene.farewells(self.statement.state):
            self.judge.farewells.add((pod, version))
            goal.MergeFrom(one)
        if goal.port_states:
            self._peers.push(goal)

    # ------------------------------------------------------------------------------------------------- steps

    def _step(self, number: int) -> int:
        """Makes a step happen; how many of the trace's were made."""
        action, occurrence = self._actions[number], self._steps[number]
        choices = tuple(value for _, value in occurrence.choices)
        if number + 1 == self.vector.diverges_at:
            self._leaving(action, occurrence)
        elif action.name in NOT_DRIVEN:
            self._skip(NOT_DRIVEN[action.name])
            return 1
        elif action.name in ("grant", "refuse"):
            return self._answers(number)
        elif action.name in self._OWN:
            self._OWN[action.name](self, *choices)
        elif action.takes:
            self._came(action, occurrence)
        return 1

    def _leaving(self, action: Action, occurrence: Occurrence) -> None:
        """Where a trace leaves the protocol, NCM gets the same message, and the run goes on as the protocol does."""
        symbol, arguments = self._taken(action, occurrence) if action.takes else ("", ())
        if symbol == "request":
            self._progress.deliveries += 1
            self._ask([arguments])
        elif symbol == "config":
            self._config(*arguments)
        elif symbol == "hello":
            self._greet(*arguments)
        elif process_of(action, occurrence) == "ncm":
            raise NotDrivable("confirmations come with the replies to pushes, and cannot be withheld or forged")
        else:
            raise NotDrivable("what is wrong in it is done by DPM or an agent, and these are played here")

    def _answers(self, number: int) -> int:
        """Requests that NCM answers: one, or all of consecutive steps at once."""
        last = number + 1
        while (
            self.scene.manner.together and last < len(self._steps) and self._steps[last].action in ("grant", "refuse")
        ):
            last += 1
        requests = [self._taken(self._actions[item], self._steps[item])[1] for item in range(number, last)]
        self._progress.deliveries += len(requests)
        self._ask(requests)
        return last - number

    def _ask(self, requests: Sequence[Tuple]) -> None:
        for found in self._answering.ask(requests):
            self.note(found)
        self._look()

    def _place(self, pod: Element, host: Element) -> None:
        self.statement.must("place", pod, host)

    def _remove(self, pod: Element) -> None:
        self.statement.must("remove", pod)

    def _resend(self, pod: Element, version: Element) -> None:
        self.statement.must("resend", pod, version)
        if self.statement.state.functions["change"][pod, version] != "none":
            self._push(pod, int(version), [])

    def _config(self, pod: Element, version: Element) -> None:
        statement, before = self.statement, self.statement.state.relations["route"]
        if not statement.take("store", pod, version):
            statement.must("supersede", pod, version)
        self._push(pod, int(version), sorted(statement.state.relations["route"] - before))

    def _push(self, pod: Element, version: int, routes: Sequence[Tuple]) -> None:
        """DPM sends a version, and it comes to these; they confirm it."""
        self._progress.deliveries += 1
        judge, mark = self.judge, self._peers.mark
        goal = self.scene.goal(pod, version, self.statement.state)
        answer = self._peers.push(goal)
        with self._noting():
            self._said[pod, version] = judge.change(pod, version, answer)
        self._come(routes, mark)

    def _come(self, routes: Sequence[Tuple], mark: int) -> None:
        """What was sent must arrive. Other goal states are judged first, since they may explain why it did not."""
        self.judge.wait(routes, mark)
        self._look()
        for host, _, of, one in routes:
            with self._noting():
                self.judge.must_have_come(host, of, one, mark)
        for host, _, of, one in routes:
            self.statement.confirm(host, of, one)

    def _greet(self, host: Element, epoch: Element) -> None:
        met = self.statement.epoch(host)
        if int(epoch) <= met:
            return  # as all hosts are from the start
        if int(epoch) != met + 1:
            raise NotDrivable(
                f"NCM would hear of epoch {epoch} after {met}, and Alcor's wire has no numbers for epochs"
            )
        self._progress.deliveries += 1
        mark, before = self._peers.mark, self.statement.state.relations["route"]
        self.statement.take("forge_hello", host, epoch)
        self.statement.must("greet", host, epoch)
        self.judge.forget(host)
        with self._noting():
            self._answering.restart(str(host))
        self._come(sorted(self.statement.state.relations["route"] - before), mark)

    def _greet_by_request(self, host: Element, epoch: Element, *_: Element) -> None:
        self._greet(host, epoch)

    def _confirmed(self, host: Element, epoch: Element, pod: Element, version: Element) -> None:
        """A confirmation: it came with the reply to a push."""
        if not self.judge.has_come(str(host), pod, int(version)):
            raise NotDrivable(
                f"a confirmation is the reply to a push here, and {host} was pushed no revision {version} of {pod}"
            )

    def _report_done(self, pod: Element, version: Element) -> None:
        if not self._hears(pod, version, "done"):
            return
        self.statement.must("report_done", pod, version)

    def _complete(self, pod: Element, version: Element, result: Element) -> None:
        if self._hears(pod, version, str(result)):
            self.statement.must("complete", pod, version, result)

    def _hears(self, pod: Element, version: Element, outcome: str) -> bool:
        """Whether NCM has said that a version ended so; if not, the step is not observed, and the trace continues without it."""
        said = self._said.get((pod, int(version)), set())
        if OUTCOMES[outcome] in said:
            return True
        words = f"says {', '.join(sorted(said))} of the port" if said else "says nothing of the port"
        self._skip(f"is not seen, since NCM's reply {words}")
        return False

    def _skip(self, why: str) -> None:
        """The step is left out and the run continues without it; what NCM has to do then is still what the statement says."""
        self._progress.left_out += 1
        self._unseen = self._unseen or f"step {self._progress.done + 1}, {self._steps[self._progress.done]}: {why}"

    def _hang_up(self, *_: Element) -> None:
        """DPM's process restarts and connects again."""
        self._peers.hang_up()

    def _later(self, *_: Element) -> None:
        """What a host says is sent when NCM takes it, and is under way until then."""

    def _nothing(self, *_: Element) -> None:
        """What an agent does with packets and routes of its own is not seen by NCM, and nothing that is checked depends on it."""

    _OWN: Final[Mapping[str, Callable[..., None]]] = {
        "place": _place,
        "remove": _remove,
        "resend": _resend,
        "store": _config,
        "supersede": _config,
        "restart": _later,
        "greet": _greet,
        "greet_by_request": _greet_by_request,
        "forge_applied": _confirmed,
        "acknowledge": _confirmed,
        "report_done": _report_done,
        "complete": _complete,
        "restart_dpm": _hang_up,
        **dict.fromkeys(("ask", "forge_request", "forge_hello"), _later),
        **dict.fromkeys(("deliver", "drop", "resume", "time_out", "evict"), _nothing),
    }

    def _came(self, action: Action, occurrence: Occurrence) -> None:
        """An agent takes a message: the run must have sent it. That it has come was seen when it was."""
        symbol, arguments = self._taken(action, occurrence)
        if arguments not in self.statement.state.relations[symbol]:
            raise NotDrivable(
                f"{symbol}({', '.join(map(str, arguments))}) is not sent where all hosts are met from the start"
            )

    def _taken(self, action: Action, occurrence: Occurrence) -> tuple[str, Tuple]:
        (taken,) = action.takes
        choices, state = dict(occurrence.choices), self.statement.state
        evaluate = self.statement.interpreter.evaluate
        return taken.symbol.name, tuple(evaluate(argument, state, choices) for argument in taken.arguments)


def _named(protocol: Specification, occurrence: Occurrence) -> Action:
    return next(action for action in protocol.actions if action.name == occurrence.action)
