"""Gathers all evidence for all promises: proved, explored, decided, simulated, replayed.

The broker starts at once, in the background, since its start takes the longest; what needs no broker runs meanwhile. The first
violation ends the gathering.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conformance import configurations
from conformance.evidence.background_broker import BrokerInBackground
from conformance.evidence.lassos import Lasso, read_lassos
from conformance.evidence.logs import is_logged, logged
from conformance.evidence.reviewed import differences
from conformance.evidence.shown import not_asked, promises_nothing, shown, unreached, untaken
from conformance.evidence.staleness import Part, earlier, stale
from conformance.evidence.variants import breaking, counterexample_of, promises_of, shown_by, still_breaks
from conformance.evidence.witnesses import ALL, by_hand, firsts, read_witnesses, weakened
from conformance.logs.verdict import Verdict
from conformance.mutation.status import Held, held
from conformance.protocols import DRIVEN, NOT_REPLAYED, REPLAYED, base
from conformance.replay.replays import (
    FOUND,
    NEGATIVE,
    Replays,
    Vector,
    read_vectors,
    replay_all,
    trace_files,
    vectors_of,
)
from conformance.replay.targets import TARGETS, open_target
from conformance.report.result import verdict_of
from impl.cli.console import listed
from impl.cli.exits import EXIT_OF, Exit, Problem, worst
from impl.errors import EnvironmentProblem
from model.bad_input import BadInput
from model.explore.explore import Exploration, explore
from model.explore.live import STATES_MAX, live
from model.explore.liveness import Liveness, never_asked
from model.language import Eventuality, Promise, Protocol
from model.machines.simulate import Simulation, simulate
from model.proof.forgetting import note_proof
from model.proof.prove import Proof, prove
from model.proof.wellformed import wellformed

SIMULATED_RUNS = 60
SIMULATED_STEPS = 50
SIMULATED = "one-network"
"""A configuration of scenarios, larger than any that is explored. A protocol without it is simulated in its default one."""

Told = Callable[[str, int, int | None, str], None]
"""Reports progress: what is in work, how much is done, of how much (None if unknown), and a remark."""


@dataclass
class Evidence:
    """The results of every engine; None where it was not run."""

    protocol: Protocol
    configurations: tuple[str, ...]
    """The configurations to explore."""
    live_configurations: tuple[str, ...] = ()
    """The configurations in which to decide eventualities."""
    proof: Proof | None = None
    explorations: list[Exploration] = field(default_factory=list)
    decisions: list[Liveness] = field(default_factory=list)
    simulation: Simulation | None = None
    replays: dict[str, Replays] = field(default_factory=dict)
    logs: dict[str, Verdict] = field(default_factory=dict)
    """By target of a recorded deployment: whether its logs are a behavior of the protocol."""
    missing: list[str] = field(default_factory=list)
    """What could not run here, with the reason."""
    noticed: list[str] = field(default_factory=list)
    """Variants whose counterexamples still break what the variants name."""
    unnoticed: list[str] = field(default_factory=list)
    """Variants whose counterexamples no longer break anything, each with what it broke: that was weakened."""
    unmet: list[str] = field(default_factory=list)
    """Scenarios that do not do what they say, each with file and line."""
    unshown: list[str] = field(default_factory=list)
    """A sentence for each configuration whose fair runs do not show what it is for."""
    empty: list[str] = field(default_factory=list)
    """A sentence for each reason why a promise may hold of nothing."""
    unreviewed: list[str] = field(default_factory=list)
    """A sentence for each declaration and configuration that is not as it was reviewed."""
    outdated: dict[Part, str] = field(default_factory=dict)
    """Generated files that are not of this statement, each with the reason."""
    mutants: Held | None = None
    """The mutation tables, and what is wrong with them; None for a variant."""

    @property
    def stale(self) -> str:
        """The sentence for the outdated files; empty if there are none."""
        if not self.outdated:
            return ""
        return stale(list(self.outdated), self.protocol, next(iter(self.outdated.values())))

    @property
    def replayed(self) -> bool:
        """Whether the implementation is compared with this protocol by replays."""
        return base(self.protocol).name in REPLAYED

    @property
    def not_replayed(self) -> str:
        """Why the implementation is not compared with this protocol by replays; empty if it is."""
        return NOT_REPLAYED.get(base(self.protocol).name, "")

    @property
    def exit(self) -> Exit:
        """The exit code of a check. What was not run is undecided at best."""
        codes = [Exit.ENVIRONMENT] * len(self.missing)
        codes.append(Exit.UNDECIDED if self.proof is None else EXIT_OF[self.proof.verdict])
        codes += [EXIT_OF[exploration.verdict] for exploration in self.explorations]
        codes += [Exit.UNDECIDED] * (len(self.explorations) < len(self.configurations))
        codes += [EXIT_OF[decision.verdict] for decision in self.decisions]
        codes += [Exit.UNDECIDED] * any(self.lasting(eventuality) == "?" for eventuality in self.protocol.eventualities)
        codes.append(Exit.UNDECIDED if self.simulation is None else EXIT_OF[self.simulation.verdict])
        codes += [EXIT_OF[replay.verdict] for replay in self.replays.values()]
        codes += [Exit.UNDECIDED] * (self.replayed and len(self.replays) < len(TARGETS))
        codes += [log.exit for log in self.logs.values()]
        codes += [Exit.UNDECIDED] * (is_logged(self.protocol) and len(self.logs) < len(TARGETS))
        codes += [Exit.UNDECIDED] * bool(self.stale)
        codes += [Exit.VIOLATED] * bool(
            self.unreached
            or self.unused
            or self.unnoticed
            or self.unmet
            or self.unreviewed
            or self.unshown
            or self.empty
        )
        codes += [code for code, _ in self.mutants.faults] if self.mutants else []
        return worst(codes)

    def _explored_all(self) -> bool:
        done = {exploration.configuration for exploration in self.explorations if exploration.complete}
        return done == set(self.configurations)

    def _decided_all(self) -> bool:
        done = {decision.configuration for decision in self.decisions if decision.complete}
        return bool(done) and done == set(self.live_configurations)

    @property
    def is_red(self) -> bool:
        """Something is violated for certain; more evidence would not change that.

        Counts that differ from the pinned ones do not count: after an intended change, the user wants to see all of them at once.
        """
        verdicts: list[str] = [
            exploration.verdict for exploration in self.explorations if exploration.trace is not None
        ]
        verdicts += [replay.verdict for replay in self.replays.values()]
        verdicts += [log.verdict for log in self.logs.values()]
        verdicts += [decision.verdict for decision in self.decisions]
        verdicts += [self.proof.verdict] if self.proof else []
        verdicts += [self.simulation.verdict] if self.simulation else []
        return "violated" in verdicts or "diverges" in verdicts or bool(self.unnoticed or self.unmet)

    @property
    def unreached(self) -> list[str]:
        """What must be reachable and was not reached by any exploration, and eventualities whose premise holds nowhere.

        Empty if an exploration stopped early.
        """
        missing = []
        if self._explored_all():
            missing += unreached(self.protocol, self.explorations)
        if self._decided_all():
            missing += never_asked(self.decisions, self.protocol.eventualities)
        return missing

    @property
    def unused(self) -> list[str]:
        """Actions that no exploration took; empty if an exploration stopped early."""
        return untaken(self.protocol, self.explorations) if self._explored_all() else []

    def row(self, promise: Promise) -> tuple[str, str, str, str]:
        """For a promise: the marks for proof, exploration, simulation and replay.

        `?`: unknown; `-`: the protocol is not replayed.
        """
        claims = self.proof.claims if self.proof is not None else ()
        mine = [claim.verdict for claim in claims if claim.name.split(":")[0] == promise.name]
        # All promises and lemmas are hypotheses of each other's proofs: none is proved while one of them fails.
        proved = _mark(mine, whole=self.proof is not None and self.proof.verdict == "holds")
        seen = [
            "violated" if exploration.violated == promise.name else "holds" if exploration.complete else "undecided"
            for exploration in self.explorations
        ]
        explored = _mark(seen, whole=len(self.explorations) >= len(self.configurations))
        simulated = "?"
        if self.simulation is not None and self.simulation.violated in ("", promise.name):
            simulated = _mark([self.simulation.verdict])
        replayed = "-"
        if self.replayed:
            verdicts = [verdict_of(replay.exit) for replay in self.replays.values()]
            replayed = _mark(verdicts, whole=not self.stale and len(self.replays) >= len(TARGETS))
        return proved, explored, simulated, replayed

    def lasting(self, eventuality: Eventuality) -> str:
        """For an eventuality: whether it holds in every configuration that decides it; `?`: unknown."""
        outcomes = [outcome for decision in self.decisions for outcome in decision.outcomes]
        verdicts = [outcome.verdict for outcome in outcomes if outcome.eventuality is eventuality]
        return _mark(verdicts, whole=self._decided_all())

    def as_json(self) -> dict[str, Any]:
        """The form that the command line writes."""
        return {
            "prove": self.proof.as_json() if self.proof else None,
            "explore": [exploration.as_json() for exploration in self.explorations],
            "live": [decision.as_json() for decision in self.decisions],
            "simulate": self.simulation.as_json() if self.simulation else None,
            "replay": [replay.as_json() for replay in self.replays.values()],
            "not_replayed": self.not_replayed or None,
            "validate": {where: one.as_json() for where, one in self.logs.items()},
            "missing": self.missing,
            "stale": self.stale or None,
            "unreached": self.unreached,
            "unused": self.unused,
            "unnoticed": self.unnoticed,
            "unmet": self.unmet,
            "unshown": self.unshown,
            "empty": self.empty,
            "unreviewed": self.unreviewed,
            "mutants": self.mutants.as_json() if self.mutants else None,
            "verdict": verdict_of(self.exit),
        }


def _mark(verdicts: Sequence[str], *, whole: bool = True) -> str:
    """The mark that verdicts give together. `whole`: none is missing, so that it may be that all hold."""
    if "violated" in verdicts:
        return "violated"
    return "holds" if whole and set(verdicts) == {"holds"} else "?"


def gather(
    protocol: Protocol,
    stated: Protocol,
    *,
    configurations: Sequence[str],
    live_configurations: Sequence[str] = (),
    broker: BrokerInBackground,
    told: Told,
) -> Evidence:
    """Gathers all evidence for a protocol, up to the first violation.

    `stated`: the protocol without a variant; the vectors are its runs.

    Raises:
        BadInput: a configuration is malformed.
        Problem: there are no vectors.
    """
    found = Evidence(protocol, tuple(configurations), tuple(live_configurations))
    if protocol is stated:
        found.mutants = held(stated)
        found.empty = promises_nothing(stated)
        found.unreviewed = [difference.sentence for difference in differences(stated)]
    vectors = functools.cache(lambda: current_vectors(found, stated))
    steps: list[Callable[[], None]] = [
        lambda: _prove(found, told),
        lambda: notice(found, vectors(), stated),
        lambda: notice_witnesses(found, vectors(), stated),
        lambda: notice_lassos(found, current_lassos(found, stated), stated),
    ]
    steps += [lambda: _replay(found, vectors, "memory", None, told)] * found.replayed
    steps += [functools.partial(_decide, found, name, told) for name in live_configurations]
    steps += [functools.partial(_explore, found, name, told) for name in configurations]
    steps += [lambda: _simulate(found, told)]
    steps += [lambda: _replay(found, vectors, "pulsar", broker, told)] * found.replayed
    steps += [functools.partial(_log, found, name, broker, told) for name in TARGETS if is_logged(protocol)]
    for step in steps:
        step()
        if found.is_red:
            break
    return found


def current_vectors(found: Evidence, stated: Protocol) -> list[Vector]:
    """The shipped vectors; none, if generated ones are no longer runs of the statement, since it was changed."""
    vectors: list[Vector] = []
    for file in trace_files(vectors_of(stated)):
        try:
            vectors += read_vectors([file], stated, unmet=True)
        except BadInput as problem:
            part = _GENERATED.get(file.parent.name)
            if part is None:
                found.unmet.append(str(problem))
            else:
                found.outdated.setdefault(part, earlier(problem))
    if found.outdated:
        return []
    read = {vector.name for vector in vectors}
    needed = [counterexample_of(variant, stated, each) for variant in breaking(stated) for each in promises_of(variant)]
    if unread := [path.name for path in needed if path.stem not in read]:
        found.outdated["variants"] = f"of {len(needed)} there is no {listed(unread, 3)}"
    found.unmet += [sentence for vector in vectors for sentence in vector.unmet]
    taken = {step.action for vector in vectors if vector.diverges_at is None for step in vector.trace.steps}
    missing = [action.name for action in stated.actions if action.name not in taken]
    if found.replayed and missing:
        why = f"none of them takes {listed(missing)}"
        if base(stated).name in DRIVEN:
            found.outdated["vectors"] = why
        else:
            found.unmet.append(f"The vectors of {base(stated).name}: {why}; write a scenario that does")
    return vectors


_GENERATED: Final[Mapping[str, Part]] = {FOUND: "vectors", NEGATIVE: "variants"}
"""The part of the generated files that each folder of vectors is. The other vectors are written by hand."""


def shipped_vectors(protocols: Sequence[Protocol]) -> tuple[list[Vector], list[str]]:
    """The shipped vectors of these protocols, and a sentence for each protocol whose vectors are stale but can still be read.

    Raises:
        Problem: vectors are no runs of the statement, or do not meet an expectation.
    """
    vectors, sentences = [], []
    for protocol in protocols:
        found = Evidence(protocol, ())
        read = current_vectors(found, protocol)
        if found.unmet:
            raise Problem(found.unmet[0], Exit.VIOLATED)
        if not read:
            raise Problem(found.stale, Exit.BAD_INPUT)
        vectors += read
        sentences += [found.stale] if found.stale else []
    return vectors, sentences


def current_lassos(found: Evidence, stated: Protocol) -> list[Lasso]:
    """The shipped lassos; none, if they are no longer runs of variants of the statement, since it was changed."""
    try:
        return read_lassos(stated)
    except BadInput as problem:
        found.outdated["lassos"] = earlier(problem)
        return []


def _prove(found: Evidence, told: Told) -> None:
    proof = prove(found.protocol, progress=lambda done, total: told("Proving", done, total, ""), stop_at_violation=True)
    if proof.verdict == "holds":
        note_proof(found.protocol)
        shape = wellformed(found.protocol)
        proof = Proof([*shape.claims, *proof.claims], shape.seconds + proof.seconds)
    found.proof = proof
    if proof.verdict == "holds":
        return
    # What is not inductive may be reachable: look for a counterexample at once. Most are among the first thousands of states.
    if not _find_way(found, told, NEAR):
        # Perhaps no promise breaks, but an eventuality does.
        for name in found.live_configurations:
            _decide(found, name, told, states_max=FAR)
            if found.decisions[-1].verdict == "violated":
                break
        else:
            _find_way(found, told, FAR)


NEAR, FAR = 100_000, 1_500_000
"""The most states in each configuration when looking for a counterexample to what is not proved."""


def _find_way(found: Evidence, told: Told, states_max: int) -> bool:
    found.explorations.clear()
    for name in found.configurations:
        if name != configurations.BENCH:
            _explore(found, name, told, states_max=states_max)
            if found.explorations[-1].trace is not None:
                return True
    return False


def notice(found: Evidence, vectors: Sequence[Vector], stated: Protocol) -> None:
    """Executes the counterexamples of every variant: at its end each breaks its promise, or the promise was weakened."""
    variants = {stated.with_variant(variant).name: variant for variant in stated.variants}
    for vector in vectors:
        if vector.diverges_at is None:
            continue
        variant = variants[vector.protocol.name]
        promises = shown_by(vector, variant, stated)
        if not still_breaks(vector, promises):
            found.unnoticed.append(f"{variant.name} (it broke {', '.join(promise.name for promise in promises)})")
        elif variant.name not in found.noticed:
            found.noticed.append(variant.name)


def notice_witnesses(found: Evidence, vectors: Sequence[Vector], stated: Protocol) -> None:
    """Compares the steps at which the runs that are written by hand reach each witness with those that are kept."""
    names = {file.stem for file in by_hand(stated)}
    reached = firsts(stated, [vector for vector in vectors if vector.name in names and vector.diverges_at is None])
    pinned = read_witnesses(stated)
    if unknown := [run for run in reached if run not in pinned and run != ALL]:
        found.outdated["witnesses"] = f"they say nothing of {listed(unknown, 3)}"
    found.unmet += weakened(pinned, reached, stated)


def notice_lassos(found: Evidence, lassos: Sequence[Lasso], stated: Protocol) -> None:
    """Has the interpreter confirm that every lasso still breaks its eventuality."""
    for lasso in lassos:
        if not lasso.still_breaks(stated):
            found.unnoticed.append(f"{lasso.variant.name} (it broke {lasso.eventuality.name})")
        elif lasso.variant.name not in found.noticed:
            found.noticed.append(lasso.variant.name)


def _explore(found: Evidence, name: str, told: Told, *, states_max: int = 200_000_000) -> None:
    configuration = configurations.find(name, found.protocol)

    def tell(distinct: int, depth: int, seconds: float) -> None:
        told(
            f"Exploring {name}",
            distinct,
            configuration.pinned.get("distinct"),
            f"depth {depth}, {distinct / max(seconds, 1e-9) / 1e6:.1f} M states/s",
        )

    explored = explore(found.protocol, configuration, progress=tell, states_max=states_max)
    is_stated = found.protocol is base(found.protocol)
    found.explorations.append(shown(explored, found.protocol, configuration) if is_stated else explored)


def _decide(found: Evidence, name: str, told: Told, *, states_max: int = STATES_MAX) -> None:
    configuration = configurations.find(name, found.protocol)
    decided = live(
        found.protocol,
        configuration,
        states_max=states_max,
        progress=lambda what, done, total: told(f"Deciding in {name}", done, total, what),
    )
    found.decisions.append(decided)
    if found.protocol is base(found.protocol):
        found.unshown += not_asked(decided, configuration).values()


def simulated_in(stated: Protocol) -> str:
    """The name of the configuration in which a protocol is simulated."""
    larger = [configuration.name for configuration in configurations.of_scenarios(stated)]
    return SIMULATED if SIMULATED in larger else configurations.first(stated)


def _simulate(found: Evidence, told: Told) -> None:
    stated = base(found.protocol)
    found.simulation = simulate(
        found.protocol,
        configurations.find(simulated_in(stated), stated),
        runs=SIMULATED_RUNS,
        steps=SIMULATED_STEPS,
        progress=lambda runs, steps: told("Simulating", runs, SIMULATED_RUNS, f"{steps} steps"),
    )


def _replay(
    found: Evidence, vectors: Callable[[], list[Vector]], name: str, broker: BrokerInBackground | None, told: Told
) -> None:
    told("Reading vectors", 0, None, "")
    given = vectors()
    if not given:
        return
    try:
        if broker is not None:
            told("Waiting for the broker", 0, None, "the first start downloads it")
        deployment = broker.get() if broker is not None else None
        with open_target(name, deployment) as target:
            found.replays[name] = replay_all(
                given,
                target,
                progress=lambda done, vector: told(f"Replaying on {name}", done, len(given), vector),
                stop_at_divergence=True,
            )
    except EnvironmentProblem as problem:
        found.missing.append(f"replay on {name}: {problem}")


def _log(found: Evidence, name: str, broker: BrokerInBackground, told: Told) -> None:
    """Records a small deployment and validates its logs. The deployment runs our implementation, so variants are not recorded."""
    told(f"Recording and validating on {name}", 0, None, "")
    try:
        found.logs[name] = logged(found.protocol, None if name == "memory" else broker.get())
    except EnvironmentProblem as problem:
        found.missing.append(f"logs on {name}: {problem}")
