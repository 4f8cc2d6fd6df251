"""What the statement permits and the implementation was never seen to do, and what becomes of it when it is offered.

A run takes one step at a time; the statement enables many. So for every state that replays have been in, each step that is
enabled there is sorted by its context (`model.reference.contexts`), and the contexts that no step was ever taken in are left:
permitted, never done. For each of them the shortest run into it is replayed once more, with that very step offered as its last:

| verdict | means |
|---|---|
| done | the implementation does it too; no trace had asked |
| refused | it does nothing, or something else that is permitted: it is more restrictive than the statement, which is allowed |
| not driven | the step cannot be arranged here; the reason says why |
| diverges | it does what is not permitted |

A refusal is a finding, not a failure, with one exception: eventualities count on fair actions. An implementation that refuses one
of those may let somebody wait for ever, which lock-step runs cannot tell: that is undecided.

What else waits for a role is not part of a context: cores are handed one message at a time, and see no other. Steps of agents
that are Byzantine are not the implementation's, and are left out.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Literal

from conformance.replay.cores import Cores
from conformance.replay.lockstep import Divergence, Replay, replay
from conformance.replay.replays import Vector, replay_all
from conformance.replay.targets import Target
from impl.cli.exits import Exit, worst
from model.language import Action, Protocol
from model.reference.configuration import Configuration
from model.reference.contexts import Context, Contexts, Taken
from model.reference.interpreter import Interpreter
from model.reference.runs import adapted, executed, prefix, world_of
from model.reference.state import State, Trace, initial_state

WITNESSES_MAX: Final = 3
"""Runs that are tried for one context at most: where the shortest cannot be driven, or is refused, another may do."""

Verdict = Literal["done", "refused", "not driven", "diverges", "not tried"]

_BY_WEIGHT: Final[tuple[Verdict, ...]] = ("diverges", "refused", "not driven", "not tried", "done")


@dataclass(frozen=True)
class Witness:
    """A run of the protocol into a context, and the step that is permitted there."""

    name: str
    """Of the run that it is the beginning of."""
    trace: Trace
    """With the step at its end."""


@dataclass
class Permitted:
    """A context that some state was in."""

    context: Context
    words: tuple[str, ...] = ()
    """Those that tell it from the nearest context in which the action was done, or, if there is none, from all others."""
    times: int = 0
    """States in which it was permitted, counted for each step that is."""
    done: int = 0
    """How often the implementation did it of the traces' own accord."""
    witnesses: list[Witness] = field(default_factory=list)
    """The shortest few, the shortest first."""
    verdict: Verdict = "not tried"
    because: str = ""
    divergence: Divergence | None = None
    tried: Witness | None = None
    """The run that decided."""

    @property
    def shown(self) -> str:
        """In words."""
        return f"{self.context.action}: {', '.join(self.words)}" if self.words else self.context.action


@dataclass
class Unexercised:
    """What one protocol permits in the states that were met, and what became of it."""

    protocol: Protocol
    target: str
    runs: int = 0
    states: int = 0
    steps: int = 0
    """Steps that the implementation took as the statement has them."""
    permitted: dict[Context, Permitted] = field(default_factory=dict)
    divergences: list[Divergence] = field(default_factory=list)
    """Of the runs themselves, before anything was offered."""
    not_driven: list[tuple[str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def never_done(self) -> list[Permitted]:
        """What was permitted and never done by itself, and what was refused where a trace asked: the most often permitted first."""
        found = [item for item in self.permitted.values() if not item.done or item.verdict != "not tried"]
        return sorted(found, key=lambda item: (-item.times, item.context))

    @property
    def findings(self) -> list[Permitted]:
        """What was not simply done when it was offered; the gravest first, then what was permitted most often."""
        found = [item for item in self.never_done if item.verdict != "done"]
        return sorted(
            found, key=lambda item: _BY_WEIGHT.index(item.verdict)
        )  # the order of `never_done` stays within each

    def is_fair(self, permitted: Permitted) -> bool:
        """Eventualities count on the action."""
        return next(action.fair for action in self.protocol.actions if action.name == permitted.context.action)

    @property
    def exit(self) -> Exit:
        """What a command ends with; nothing looked at is undecided."""
        codes = [Exit.VIOLATED] * bool(self.divergences)
        codes += [Exit.UNDECIDED] * (not self.states)
        for item in self.never_done:
            if item.verdict == "diverges":
                codes.append(Exit.VIOLATED)
            elif item.verdict == "not tried" or (item.verdict == "refused" and self.is_fair(item)):
                codes.append(Exit.UNDECIDED)
        return worst(codes)

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        counts = Counter(item.verdict for item in self.never_done)
        return {
            "protocol": self.protocol.name,
            "target": self.target,
            "runs": self.runs,
            "states": self.states,
            "steps": self.steps,
            "permitted": len(self.permitted),
            "done": sum(bool(item.done) for item in self.permitted.values()),
            "offered": {verdict: counts[verdict] for verdict in reversed(_BY_WEIGHT)},
            "verdict": {Exit.HOLDS: "holds", Exit.VIOLATED: "diverges"}.get(self.exit, "undecided"),
            "divergences": [divergence.as_json() for divergence in self.divergences],
            "never_done": [
                {
                    "action": item.context.action,
                    "context": list(item.context.words),
                    "new": list(item.words),
                    "permitted": item.times,
                    "fair": self.is_fair(item),
                    "verdict": item.verdict,
                    "because": item.because,
                    "trace": item.tried.name if item.tried else None,
                    "steps": len(item.tried.trace.steps) if item.tried else None,
                    "divergence": item.divergence.as_json() if item.divergence else None,
                }
                for item in self.never_done
            ],
            "seconds": round(self.seconds, 3),
        }


class Met:
    """The states that runs of one protocol have been in, what was permitted there, and what was done."""

    def __init__(self, protocol: Protocol, target: str) -> None:
        self.found = Unexercised(protocol, target)
        self._actions = {action.name: action for action in protocol.actions}
        self._engines: dict[Configuration, tuple[Interpreter, Contexts]] = {}

    def engines(self, configuration: Configuration) -> tuple[Interpreter, Contexts]:
        """What it takes to look at states of a configuration."""
        if configuration not in self._engines:
            interpreter = Interpreter(self.found.protocol, configuration)
            self._engines[configuration] = interpreter, Contexts(interpreter)
        return self._engines[configuration]

    def add(self, name: str, trace: Trace, steps: int) -> Trace:
        """The implementation has followed the first steps of a trace. Returns them, with nothing forgotten."""
        interpreter, contexts = self.engines(trace.configuration)
        start = initial_state(self.found.protocol, trace.configuration)
        run = executed(interpreter, Trace(trace.protocol, trace.configuration, (start,), ()), trace.steps[:steps])
        assert run is not None, f"{name}: what was followed is a run"
        taken: set[Taken] = set()
        for number, state in enumerate(run.states):
            self._look(name, run, number, state, taken)
            if number < steps:
                step = run.steps[number]
                one = self.found.permitted.get(contexts.of(state, step, taken))
                if one is not None:
                    one.done += 1
                taken.update(contexts.taken(state, step))
        self.found.runs += 1
        self.found.states += len(run.states)
        self.found.steps += steps
        return run

    def _look(self, name: str, run: Trace, number: int, state: State, taken: set[Taken]) -> None:
        interpreter, contexts = self.engines(run.configuration)
        for step in interpreter.enabled(state):
            if self._actions[step.action].role.environment:
                continue
            context = contexts.of(state, step, taken)
            one = self.found.permitted.setdefault(context, Permitted(context))
            one.times += 1
            last = one.witnesses[-1] if len(one.witnesses) == WITNESSES_MAX else None
            known = any(witness.name == name for witness in one.witnesses)
            if not known and (last is None or len(last.trace.steps) > number + 1):
                after = interpreter.apply(state, step)[0]
                beginning = prefix(run, number)
                trace = Trace(run.protocol, run.configuration, (*beginning.states, after), (*beginning.steps, step))
                one.witnesses.append(Witness(name, trace))
                one.witnesses.sort(key=lambda witness: (len(witness.trace.steps), witness.name))
                del one.witnesses[WITNESSES_MAX:]

    def refused(self, name: str, trace: Trace, because: str) -> None:
        """The implementation did not do the last step of a trace, and what it did was permitted."""
        _, contexts = self.engines(trace.configuration)
        taken: set[Taken] = set()
        for state, step in zip(trace.states, trace.steps[:-1], strict=False):
            taken.update(contexts.taken(state, step))
        one = self.found.permitted[contexts.of(trace.states[-2], trace.steps[-1], taken)]
        if one.verdict == "not tried":
            one.verdict, one.because, one.tried = "refused", because, Witness(name, trace)


def permissiveness(
    protocol: Protocol,
    vectors: Sequence[Vector],
    target: Target,
    *,
    cores: Cores | None = None,
    followed: Sequence[tuple[str, Trace]] = (),
    tries_max: int | None = None,
    progress: Callable[[int, str], None] | None = None,
) -> Unexercised:
    """Replays the vectors, looks at all states that they lead to, and offers what was permitted and never done.

    `followed`: runs that the implementation took without being replayed, by name. `tries_max`: contexts that are tried, the
    most often permitted first. `progress`: told how many runs were replayed or offered, and a word.

    Raises:
        EnvironmentProblem: the broker does not deliver.
    """
    started = time.perf_counter()
    met = Met(protocol, target.name)
    replays = replay_all(vectors, target, cores=cores, progress=progress)
    for vector, result in replays.results:
        _note(met, vector, result, partial(replay, protocol=protocol, target=target, cores=cores, offered=True))
    logged = {name for name, _ in followed}
    for name, trace in followed:
        met.add(name, trace, len(trace.steps))
    _tell_apart(met.found.permitted.values())
    wanted = [item for item in met.found.never_done if item.verdict == "not tried"][:tries_max]
    for number, one in enumerate(wanted):
        if progress is not None:
            progress(len(vectors) + number, f"{one.context.action}, {len(wanted) - number} to be offered")
        one.witnesses = [
            _by_itself(met, witness, one.context) if witness.name in logged else witness for witness in one.witnesses
        ]
        _offer(one, protocol, target, cores)
    met.found.seconds = time.perf_counter() - started
    return met.found


def _note(met: Met, vector: Vector, result: Replay, offer: Callable[..., Replay]) -> None:
    """What a replay says of the states that it has been in."""
    own = len(vector.trace.steps) if vector.diverges_at is None else vector.diverges_at - 1
    followed = min(result.steps, own)
    if result.divergence is not None:
        followed = min(followed, max(result.divergence.step - 1, 0))
    run = met.add(vector.name, vector.trace, followed)
    if result.verdict == "not driven":
        met.found.not_driven.append((vector.name, result.because))
    if result.divergence is None:
        return
    interpreter, _ = met.engines(vector.trace.configuration)
    longer = executed(interpreter, run, vector.trace.steps[followed : followed + 1])
    if longer == run:
        longer = None  # it went wrong behind the last step
    again = offer(longer, vector.name) if longer is not None else None
    if longer is not None and again is not None and again.answer is not None and again.answer.kind == "refused":
        met.refused(vector.name, longer, again.answer.because)
    else:
        met.found.divergences.append(result.divergence)


def _tell_apart(every: Iterable[Permitted]) -> None:
    """Finds the words that tell each context from the nearest one in which its action was done, or from all others."""
    groups: dict[str, list[Permitted]] = {}
    for item in every:
        groups.setdefault(item.context.action, []).append(item)
    for group in groups.values():
        done = [item.context.words for item in group if item.done]
        telling = [len(set(words)) > 1 for words in zip(*(item.context.words for item in group), strict=True)]
        for item in group:
            words = item.context.words
            if done and not item.done:
                nearest = min(done, key=lambda other: sum(a != b for a, b in zip(words, other, strict=True)))
                item.words = tuple(a for a, b in zip(words, nearest, strict=True) if a != b)
            else:
                item.words = tuple(word for word, tells in zip(words, telling, strict=True) if tells)


def _by_itself(met: Met, witness: Witness, context: Context) -> Witness:
    """A run out of a large world, without what is about other members than its last step is, if that is the same context."""
    trace = witness.trace
    last, sorts = trace.steps[-1], trace.configuration.sorts
    named = {value for _, value in last.choices}
    others = [set(members) - named for members in sorts.values() if named & set(members)]
    for left_out in (set().union(*others), *others, set[str]()):
        kept = [step for step in trace.steps[:-1] if not left_out & {value for _, value in step.choices}]
        found = _in_a_small_world(met, replace(trace, steps=(*kept, last)), context)
        if found is not None:
            return Witness(witness.name, found)
    return witness


def _in_a_small_world(met: Met, trace: Trace, context: Context) -> Trace | None:
    """The run in a world that has no more than it names, as far as it is possible there; none if it ends in another context."""
    protocol = met.found.protocol
    interpreter, contexts = met.engines(trace.configuration)
    start = replace(trace, states=trace.states[:1], steps=())
    run = adapted(interpreter, start, trace.steps)
    if run.steps[-1:] != trace.steps[-1:]:
        return None
    world = replace(world_of(run, protocol), name=f"{trace.configuration.name}-{len(run.steps)}")
    taken = {
        message
        for state, step in zip(run.states, run.steps[:-1], strict=False)
        for message in contexts.taken(state, step)
    }
    if contexts.of(run.states[-2], run.steps[-1], taken) != context:
        return None
    small = Trace(trace.protocol, world, (initial_state(protocol, world),), ())
    return executed(Interpreter(protocol, world), small, run.steps)


def _offer(permitted: Permitted, protocol: Protocol, target: Target, cores: Cores | None) -> None:
    for witness, (verdict, because, divergence) in _answers(permitted, protocol, target, cores):
        if (
            permitted.tried is None
            or _BY_WEIGHT.index(verdict) < _BY_WEIGHT.index(permitted.verdict)
            or verdict == "done"
        ):
            permitted.verdict, permitted.because, permitted.divergence, permitted.tried = (
                verdict,
                because,
                divergence,
                witness,
            )
        if verdict in ("done", "diverges"):
            return


def _answers(
    permitted: Permitted, protocol: Protocol, target: Target, cores: Cores | None
) -> Iterator[tuple[Witness, tuple[Verdict, str, Divergence | None]]]:
    for witness in permitted.witnesses:
        result = replay(witness.trace, witness.name, protocol, target, cores, offered=True)
        if result.divergence is not None:
            yield witness, ("diverges", result.divergence.because, result.divergence)
        elif result.answer is None:
            yield witness, ("not driven", result.because, None)
        else:
            yield witness, (result.answer.kind, result.answer.because, None)


def by_action(found: Unexercised) -> list[tuple[Action, list[Permitted]]]:
    """What was permitted, by action, in the order of the statement; actions that never were are left out."""
    groups = (
        (action, [item for item in found.permitted.values() if item.context.action == action.name])
        for action in found.protocol.actions
    )
    return [(action, group) for action, group in groups if group]
