"""Validation: are the logs of a deployment a behavior of the specification?

Each line is compared with the action of its name: the guard holds, the messages sent are those of the action, and so is the state
afterwards. Fields that a log omits are not checked. The verdict is one of three:

| verdict | meaning |
|---|---|
| conforms | every line was matched, in a possible causal order |
| diverges | a line is impossible given its process's state or messages of logged senders; or a promise is broken |
| inconclusive | the logs do not contain enough to decide: lines are missing, or a log is cut |
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from conformance.logs.causal_order import WINDOW, CausalOrder, OutOfOrder, Process
from conformance.logs.inference import Inference, missing_entries
from conformance.logs.lines import recorded
from conformance.logs.matcher import MatcherState
from conformance.logs.names import LIMITS, LOGGED, constants
from conformance.logs.promises import broken_in, described
from conformance.logs.reading import Record, Remembered, check_schema, recalled
from conformance.logs.registrations import Registrations
from conformance.logs.retention import doubtful, may_be_forgotten, sweep
from conformance.logs.verdict import Divergence, Stop, Verdict
from conformance.logs.wording import sentence, written
from impl.events.event_schema import STUTTERS
from impl.events.line import Sent, State
from model.language import Message, Protocol
from model.matching.compiled import Members
from model.matching.fast import FITS, MISFIT
from model.matching.layout import Tables
from model.matching.observed import Misfit, Observer

RECENT: Final = 400
"""Records before a divergence that are kept as its context."""

LOOK_EVERY: Final = 1_024
"""Lines of one protocol between two retention sweeps; promises are checked when the number of lines is a power of four."""

COMPILED_MAX: Final = 16
"""Compiled statements that are cached, one for each deployment: enough for one run, not for every mutant."""


class Validation:
    """Matches logs one record at a time; `finish` returns the verdict. Memory does not grow with the logs."""

    def __init__(
        self,
        *,
        protocols: Sequence[Protocol] = LOGGED,
        window: int = WINDOW,
        byzantine: Collection[str] = (),
        without: Iterable[str] = (),
        thresholds: Mapping[str, int] | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._vocabulary = recorded()
        self.recent: deque[Remembered] = deque(maxlen=RECENT)
        """The last `RECENT` records that were matched."""
        self._began = time.perf_counter()
        limits = {**LIMITS, **(thresholds or {})}
        self._matchers: dict[str, MatcherState] = {}
        self._events: dict[str, tuple[MatcherState, str, Any]] = {}
        for protocol in protocols:
            observer = compiled(protocol, frozenset(byzantine), tuple(sorted(limits.items())))
            matcher = self._matchers[protocol.name] = MatcherState(protocol, observer, observer.tables())
            for action in protocol.actions:
                self._events[f"{protocol.name}.{action.name}"] = (matcher, action.name, observer.fast.get(action.name))
        self._deployment = frozenset(byzantine), tuple(sorted(limits.items()))
        silent = frozenset([*without, *(f"aca/{host}" for host in byzantine)])
        self.causal_order = CausalOrder(self._take, self._is_there, window=window, without=silent)
        self.inference = Inference(self.causal_order, self._remade)
        self.registrations = Registrations()
        self.stopped: Verdict | None = None
        self.doubt = ""
        """Why the logs cannot conform although every line was taken: the first line that depends on dropped state; else empty."""

    # ------------------------------------------------------------------------------------------------- feeding

    def feed(self, record: Record) -> Verdict | None:
        """Takes one more record; returns the verdict if it is settled."""
        return self.feed_all((record,))

    def feed_all(self, records: Iterable[Record]) -> Verdict | None:
        """Takes records until one settles the verdict; returns it, or None."""
        order, feed = self.causal_order, self.causal_order.feed
        try:
            for record in records:
                feed(record)
                while order.waiting > order.window:
                    self._resolve_waiting("more lines wait than the window holds", at_the_end=False)
        except OutOfOrder as found:
            return self._stop(self._out_of_order(found))
        except Stop as found:
            return self._stop(found)
        return None

    def finish(self) -> Verdict:
        """Ends the input and returns the verdict."""
        if self.stopped is not None:
            return self.stopped
        try:
            while self.causal_order.waiting:
                self._resolve_waiting("the logs end", at_the_end=True)
        except OutOfOrder as found:
            return self._stop(self._out_of_order(found))
        except Stop as found:
            return self._stop(found)
        if not self.causal_order.lines:
            return self._stop(Stop("inconclusive", "the logs have no line about these protocols"))
        if self.doubt:
            return self._stop(Stop("inconclusive", self.doubt))
        try:
            for matcher in self._matchers.values():
                self._check_promises(matcher)
        except Stop as found:
            return self._stop(found)
        return self._stop(Stop("conforms"))

    def fork(self) -> Validation:
        """A copy at the same point, without the waiting lines: the caller feeds them again."""
        made = copy(self)
        made.counts, made.recent, made.stopped = Counter(self.counts), self.recent.copy(), None
        made._matchers = {
            name: replace(matcher, tables=matcher.tables.copy()) for name, matcher in self._matchers.items()
        }
        made._events = {
            event: (made._matchers[matcher.protocol.name], action, fast)
            for event, (matcher, action, fast) in self._events.items()
        }
        made.causal_order = self.causal_order.fork(made._take, made._is_there)
        made.inference = self.inference.fork(made.causal_order, made._remade)
        made.registrations = self.registrations.fork()
        return made

    @property
    def matchers(self) -> Mapping[str, MatcherState]:
        """The matcher state of each protocol, by name."""
        return self._matchers

    def tables(self, protocol: str) -> Tables:
        """The state of a protocol after the lines that were taken."""
        return self._matchers[protocol].tables

    def _stop(self, found: Stop) -> Verdict:
        for process in self.causal_order.blocked():
            for record in process.waiting:
                check_schema(record, self._vocabulary)
        seconds = time.perf_counter() - self._began
        counts = {**self.inference.counts, **{name: count for name, count in self.counts.items() if count}}
        self.stopped = Verdict(
            found.verdict, self.causal_order.lines, seconds, counts, found.why, found.divergence, found.broken
        )
        return self.stopped

    # ------------------------------------------------------------------------------------------------- one line

    def _take(self, process: Process, record: Record) -> Sent | None:
        line = record.line
        known = self._events.get(line.event)
        if known is None:
            check_schema(record, self._vocabulary)
            self._stutter(process, record)
            self.recent.append(record.remembered())
            return None
        matcher, name, fast = known
        if matcher.protocol.name not in process.begun:
            check_schema(record, self._vocabulary)
            if self.inference.begin(process, record, self._matchers):
                self.recent.append(record.remembered())
                return None
        tables = matcher.tables
        now = tables.now = tables.now + 1
        if not now % LOOK_EVERY:
            sweep(matcher, self.causal_order.window, complete=self._is_complete())
            if now & (now - 1) == 0 and now.bit_length() % 2:
                self._check_promises(matcher)
        try:
            fits = MISFIT if fast is None else fast(tables, line.attributes, line.sent, line.after)
        except (KeyError, IndexError):
            fits = MISFIT
        if fits != FITS:
            check_schema(record, self._vocabulary)
            missing = self._match_slowly(process, record, matcher, name) if fits == MISFIT else None
            if missing is not None:
                return missing
        if line.state is not None:
            check_schema(record, self._vocabulary)
            self._check_state(process, record, matcher.protocol.name, line.state)
        self.recent.append(record.remembered())
        return None

    def _match_slowly(self, process: Process, record: Record, matcher: MatcherState, name: str) -> Sent | None:
        line = record.line
        misfit = matcher.observer.observe(matcher.tables, name, line.attributes, line.sent, line.after)
        if misfit is not None:
            misfit = self._match_supposing(process, record, matcher, name, misfit)
        if misfit is None:
            return None
        with self.registrations.absent(process, matcher, name, line) as any_absent:
            if (
                any_absent
                and matcher.observer.observe(matcher.tables, name, line.attributes, line.sent, line.after) is None
            ):
                return None
        takes = matcher.observer.actions[name].action.takes
        if misfit.kind == "guard" and misfit.expected < len(takes) and line.taken is None and not process.free:
            message = self._message(matcher, name, misfit)
            if not self.causal_order.is_silent(self.inference.sender(takes[misfit.expected].symbol, message[1:])):
                return message  # the sending line is unknown and may still come
        if self._may_complete(process, matcher, misfit):
            if self.inference.complete(process, record, matcher, name, misfit):
                return None
            with self.registrations.absent(process, matcher, name, line) as any_absent:
                if any_absent and self.inference.complete(process, record, matcher, name, misfit):
                    return None
        raise self._misfit(process, record, matcher, misfit)

    def _match_supposing(
        self, process: Process, record: Record, matcher: MatcherState, name: str, misfit: Misfit
    ) -> Misfit | None:
        """Takes a line that fits if a message that may have been dropped was there; else returns the misfit that remains."""
        line, takes = record.line, matcher.observer.actions[name].action.takes
        if misfit.kind == "guard" and misfit.expected < len(takes):
            message = self._message(matcher, name, misfit)
            if not may_be_forgotten(matcher, message):
                return misfit
            symbol, *arguments = message
            matcher.tables.put(str(symbol), tuple(arguments), True)
            other = matcher.observer.observe(matcher.tables, name, line.attributes, line.sent, line.after)
            if other is not None:
                other = self._match_supposing(process, record, matcher, name, other)
            if other is not None:
                matcher.tables.put(str(symbol), tuple(arguments), False)
                return other
            self._doubt(record, written(message))
            return None
        what = doubtful(matcher, misfit)
        if what is not None:
            self._doubt(record, what)
            raise Stop("inconclusive", self.doubt, self._divergence(process, record, matcher, misfit))
        return misfit

    def _doubt(self, record: Record, what: str) -> None:
        self.counts["lines about what was forgotten"] += 1
        if not self.doubt:
            why = f"was dropped: it is older than --window {self.causal_order.window:,}; set a larger window"
            self.doubt = f"{record.place}: {what} {why}"

    def _is_complete(self) -> bool:
        """Whether every process keeps a log from its start."""
        return not self.causal_order.without and not any(
            process.late for process in self.causal_order.processes.values()
        )

    def _may_complete(self, process: Process, matcher: MatcherState, misfit: Misfit) -> bool:
        """Whether steps may have happened without a line."""
        has_gaps = self.causal_order.without or any(
            each_process.late or each_process.ended for each_process in self.causal_order.processes.values()
        )
        return bool(has_gaps) or misfit.kind == "missing" or bool(self._deployment[0]) or not process.sequence

    def _misfit(self, process: Process, record: Record, matcher: MatcherState, misfit: Misfit) -> Stop:
        """The verdict on a line that does not fit, with or without inferred steps."""
        misfit = self.inference.contradicted(process, matcher, misfit)
        divergence = self._divergence(process, record, matcher, misfit)
        if self.inference.is_certain(process, matcher, misfit):
            return Stop("diverges", divergence=divergence)
        why = "no inferred steps were found with which it fits"
        return Stop("inconclusive", f"{record.place}: {divergence.because}, and {why}", divergence)

    def _message(self, matcher: MatcherState, name: str, misfit: Misfit) -> Sent:
        """The message that an action takes with these choices."""
        taken = matcher.observer.actions[name].action.takes[misfit.expected]
        given = dict(misfit.choices)
        return (taken.symbol.name, *(given[argument.name] for argument in taken.arguments))

    def _check_promises(self, matcher: MatcherState) -> None:
        """Stops if the state is certain and breaks a promise."""
        sure = self._is_complete() and self.registrations.is_stated and not (self.inference.guesses or self.doubt)
        if not sure or self._deployment[0]:
            return
        broken = broken_in(matcher)
        if broken:
            raise Stop("diverges", described(broken), broken=broken)

    def _stutter(self, process: Process, record: Record) -> None:
        line = record.line
        if line.event not in STUTTERS:
            self.counts["lines of other protocols"] += 1
            return
        self.counts[line.event] += 1
        self.learn_limits(line.attributes)
        if not self._matchers.keys() <= process.begun and self.inference.begin(process, record, self._matchers):
            return
        wrong = self.registrations.note(process, line, self._matchers)
        if wrong is not None:
            raise self._misfit(process, record, *wrong)
        for message in line.sent or ():
            protocol, _, name = str(message[0]).partition(".")
            matcher = self._matchers.get(protocol)
            if matcher is not None and not matcher.observer.is_sent(matcher.tables, (name, *message[1:])):
                if may_be_forgotten(matcher, (name, *message[1:])):
                    matcher.tables.put(name, tuple(message[1:]), True)
                    self._doubt(record, written((name, *message[1:])))
                    continue
                if not self.inference.guesses:
                    misfit = Misfit("sent", "sent", [], [list(message)])
                    raise self._misfit(process, record, matcher, misfit)
                self.counts["messages said again that nobody is known to have sent"] += 1
        if line.state is not None:
            for protocol in self._matchers:
                prefix = f"{protocol}."
                own = {key.removeprefix(prefix): some for key, some in line.state.items() if key.startswith(prefix)}
                self._check_state(process, record, protocol, own)

    @property
    def limits(self) -> Mapping[str, int]:
        """The deployment's constants: the thresholds from which a VPC is large, and how often DPM asks in a row."""
        return dict(self._deployment[1])

    def learn_limits(self, stated: Mapping[str, object]) -> None:
        """Takes the thresholds that DPM logs at its start."""
        if LIMITS.keys().isdisjoint(stated):
            return
        byzantine, known = self._deployment
        limits = {
            **dict(known),
            **{name: value for name, value in stated.items() if name in LIMITS and type(value) is int},
        }
        if limits == dict(known):
            return
        self._deployment = byzantine, tuple(sorted(limits.items()))
        for matcher in self._matchers.values():
            if any(symbol.name in LIMITS for symbol in matcher.protocol.symbols):
                matcher.move_to(compiled(matcher.protocol, *self._deployment))
                for event, (owner, action, _) in list(self._events.items()):
                    if owner is matcher:
                        self._events[event] = (matcher, action, matcher.observer.fast.get(action))

    def _is_there(self, event: str, message: Sent) -> bool:
        matcher = self._events[event][0]
        return tuple(message[1:]) in matcher.tables.table(str(message[0]))

    def _check_state(self, process: Process, record: Record, protocol: str, state: State) -> None:
        matcher = self._matchers[protocol]
        misfit = self._state_misfit(process, matcher, state)
        if misfit is None:
            return
        what = doubtful(matcher, misfit)
        if what is not None:
            self._doubt(record, what)
            raise Stop("inconclusive", self.doubt, self._divergence(process, record, matcher, misfit))
        restarted = process.started and record.line.run != process.run

        def fits() -> bool:
            return self._state_misfit(process, matcher, state) is None

        if not (restarted and self.inference.settle(process, record, matcher, state, fits)):
            raise self._misfit(process, record, matcher, misfit)

    def _state_misfit(self, process: Process, matcher: MatcherState, state: State) -> Misfit | None:
        """The first entry in which a full state differs from the model."""
        for name, entries in state.items():
            for *some, value in entries:
                expected = matcher.tables.get(name, tuple(some))
                if expected != value:
                    return Misfit("state", f"state.{name}", expected, value, entry=tuple(some))
        for symbol, arguments, value in missing_entries(process, matcher, state):
            return Misfit("state", f"state.{symbol}", value, None, entry=arguments)
        return None

    def _remade(self, matcher: MatcherState, members: Members) -> Observer:
        """Compiles a protocol for this validation alone, without the fast path: its tables get the indexes that a search needs."""
        byzantine, limits = self._deployment
        observer = Observer(matcher.protocol, constants(matcher.protocol, byzantine, dict(limits)), members=members)
        for event, (owner, action, _) in list(self._events.items()):
            if owner is matcher:
                self._events[event] = (matcher, action, None)
        return observer

    # ------------------------------------------------------------------------------------------ what does not fit

    def _resolve_waiting(self, since: str, *, at_the_end: bool) -> None:
        """Unblocks a process whose missing line is not held against the logs; else stops.

        A process is examined first if the one that it waits for is not blocked itself: that one will write no more.
        """
        waiting = self.causal_order.blocked()
        process = next((item for item in waiting if not self._is_blocked(item)), waiting[0])
        record, sender = process.waiting[0], self._awaited(process)
        by = self.causal_order.processes.get(sender)
        if by is None:
            what = f"the log of {sender}, which sent what this line takes, is not given; name it, or pass --without {sender}"
        elif process.for_line is not None:
            _, run, number = process.for_line
            if by.late and run != by.run:
                self.causal_order.give_up_waiting(process)
                return
            what = f"line {number} of {sender}, which sent what this line takes, is not in the logs"
            if by.runs_forgotten:
                what += f", or belongs to one of its {by.runs_forgotten:,} oldest runs, which were dropped"
        else:
            if by.late or (at_the_end and not by.waiting):
                self.causal_order.give_up_waiting(process)
                return
            what = f"no logged line sent {written(process.for_message)}"
        why = f"{since}, and {what}"
        misfit = Misfit("missing", "messaging.message.id", what, record.line.taken)
        matcher = self._events.get(record.line.event, (next(iter(self._matchers.values())),))[0]
        divergence = self._divergence(process, record, matcher, misfit, why)
        raise Stop("inconclusive", f"{record.place}: {why}", divergence)

    def _is_blocked(self, process: Process) -> bool:
        by = self.causal_order.processes.get(self._awaited(process))
        return by is not None and bool(by.waiting)

    def _awaited(self, process: Process) -> str:
        """The process that a blocked process waits for."""
        if process.for_line is not None:
            return process.for_line[0]
        assert process.for_message is not None
        event, (name, *arguments) = process.waiting[0].line.event, process.for_message
        symbol = self._events[event][0].observer.compiled.layout.kept[str(name)]
        assert isinstance(symbol, Message)
        return self.inference.sender(symbol, arguments)

    def _out_of_order(self, found: OutOfOrder) -> Stop:
        line = found.record.line
        matcher = self._events.get(line.event, (next(iter(self._matchers.values())),))[0]
        misfit = Misfit("missing", "sequence", found.expected, line.sequence)
        gap = "lines are missing" if line.sequence > found.expected else "a line is repeated, or out of order"
        because = f"{line.process}: expected line {found.expected} of this run, found {line.sequence}: {gap}"
        divergence = self._divergence(found.process, found.record, matcher, misfit, because)
        return Stop("inconclusive", f"{found.record.place}: {because}", divergence)

    def _divergence(
        self, process: Process, record: Record, matcher: MatcherState, misfit: Misfit, because: str | None = None
    ) -> Divergence:
        return Divergence(
            record,
            misfit,
            because or sentence(matcher.observer, misfit),
            process,
            matcher.protocol,
            matcher.observer,
            matcher.tables,
            self,
            tuple(map(recalled, self.recent)),
        )


@lru_cache(COMPILED_MAX)
def compiled(protocol: Protocol, byzantine: frozenset[str], thresholds: tuple[tuple[str, int], ...]) -> Observer:
    """The observer for a deployment, compiled once; it is stateless."""
    return Observer(protocol, constants(protocol, byzantine, dict(thresholds)))
