"""Validation: are the logs of a deployment a behaviour of the specification?

Each line is held against the specification's own action of its name: the guard is true, what it sent is what the action sends, and
its state afterwards is the action's. What a log does not say is not asked for. The verdict is one of three:

| verdict | says |
|---|---|
| conforms | every line was matched, in an order that can have been |
| diverges | a line cannot be: its own process's state, or messages whose senders are logged, contradict it; or a promise breaks |
| inconclusive | the logs do not say enough to tell: lines are missing, or a log is cut |
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
from conformance.logs.promises import broken_in, told
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
"""Records before a divergence that are kept, so that a reader can see what led there."""

LOOK_EVERY: Final = 1_024
"""Lines of one protocol between two counts of its messages, a power of four. Promises are asked for whenever the lines are one."""

COMPILED_MAX: Final = 16
"""Statements that are kept compiled, each for one deployment: those of a run, not all mutants that there are."""


class Validation:
    """The matcher for logs, one record at a time; `finish` gives the verdict. What it keeps does not grow with the logs."""

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
        """The last records that were matched."""
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
        """Why the logs cannot be said to conform, though every line was taken: the first that is about what was forgotten."""

    # ------------------------------------------------------------------------------------------------- feeding

    def feed(self, record: Record) -> Verdict | None:
        """Takes one more record; the verdict if it is clear already."""
        return self.feed_all((record,))

    def feed_all(self, records: Iterable[Record]) -> Verdict | None:
        """Takes records up to the one that makes the verdict clear, if any does."""
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
        """Nothing more comes."""
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
            return self._stop(Stop("inconclusive", "no line of the logs is about these protocols"))
        if self.doubt:
            return self._stop(Stop("inconclusive", self.doubt))
        try:
            for matcher in self._matchers.values():
                self._check_promises(matcher)
        except Stop as found:
            return self._stop(found)
        return self._stop(Stop("conforms"))

    def fork(self) -> Validation:
        """Another one, as far as this one has come, without the lines that wait: they are for the caller to feed again."""
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
        """What each protocol is matched with, by its name."""
        return self._matchers

    def tables(self, protocol: str) -> Tables:
        """The state of a protocol, as far as the lines were taken."""
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
            missing = self._slowly(process, record, matcher, name) if fits == MISFIT else None
            if missing is not None:
                return missing
        if line.state is not None:
            check_schema(record, self._vocabulary)
            self._check_state(process, record, matcher.protocol.name, line.state)
        self.recent.append(record.remembered())
        return None

    def _slowly(self, process: Process, record: Record, matcher: MatcherState, name: str) -> Sent | None:
        line = record.line
        misfit = matcher.observer.observe(matcher.tables, name, line.attributes, line.sent, line.after)
        if misfit is not None:
            misfit = self._supposed(process, record, matcher, name, misfit)
        if misfit is None:
            return None
        with self.registrations.absent(process, matcher, name, line) as somebody:
            if (
                somebody
                and matcher.observer.observe(matcher.tables, name, line.attributes, line.sent, line.after) is None
            ):
                return None
        takes = matcher.observer.actions[name].action.takes
        if misfit.kind == "guard" and misfit.expected < len(takes) and line.taken is None and not process.free:
            message = self._message(matcher, name, misfit)
            if not self.causal_order.is_silent(self.inference.sender(takes[misfit.expected].symbol, message[1:])):
                return message  # it is not known which line sent it: perhaps it comes yet
        if self._may_complete(process, matcher, misfit):
            if self.inference.complete(process, record, matcher, name, misfit):
                return None
            with self.registrations.absent(process, matcher, name, line) as somebody:
                if somebody and self.inference.complete(process, record, matcher, name, misfit):
                    return None
        raise self._misfit(process, record, matcher, misfit)

    def _supposed(
        self, process: Process, record: Record, matcher: MatcherState, name: str, misfit: Misfit
    ) -> Misfit | None:
        """Takes a line that fits if a message was there that may have been forgotten; else what is wrong with it even so."""
        line, takes = record.line, matcher.observer.actions[name].action.takes
        if misfit.kind == "guard" and misfit.expected < len(takes):
            message = self._message(matcher, name, misfit)
            if not may_be_forgotten(matcher, message):
                return misfit
            of, *arguments = message
            matcher.tables.put(str(of), tuple(arguments), True)
            other = matcher.observer.observe(matcher.tables, name, line.attributes, line.sent, line.after)
            if other is not None:
                other = self._supposed(process, record, matcher, name, other)
            if other is not None:
                matcher.tables.put(str(of), tuple(arguments), False)
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
            why = f"was forgotten: it is older than --window {self.causal_order.window:,}; a larger one remembers more"
            self.doubt = f"{record.place}: {what} {why}"

    def _is_complete(self) -> bool:
        """Whether every process keeps a log from its beginning."""
        return not self.causal_order.without and not any(
            process.late for process in self.causal_order.processes.values()
        )

    def _may_complete(self, process: Process, matcher: MatcherState, misfit: Misfit) -> bool:
        """Whether anything may have happened that no line tells of."""
        somebody = self.causal_order.without or any(
            each_process.late or each_process.ended for each_process in self.causal_order.processes.values()
        )
        return bool(somebody) or misfit.kind == "missing" or bool(self._deployment[0]) or not process.sequence

    def _misfit(self, process: Process, record: Record, matcher: MatcherState, misfit: Misfit) -> Stop:
        """The verdict on a line that does not fit, and cannot be made to."""
        misfit = self.inference.contradicted(process, matcher, misfit)
        divergence = self._divergence(process, record, matcher, misfit)
        if self.inference.is_certain(process, matcher, misfit):
            return Stop("diverges", divergence=divergence)
        why = "no steps that no line tells of were found with which it fits"
        return Stop("inconclusive", f"{record.place}: {divergence.because}, and {why}", divergence)

    def _message(self, matcher: MatcherState, name: str, misfit: Misfit) -> Sent:
        """The message that an action takes with these choices."""
        taken = matcher.observer.actions[name].action.takes[misfit.expected]
        given = dict(misfit.choices)
        return (taken.symbol.name, *(given[argument.name] for argument in taken.arguments))

    def _check_promises(self, matcher: MatcherState) -> None:
        """Stops if the state, as far as it is known for certain, breaks a promise."""
        sure = self._is_complete() and self.registrations.is_stated and not (self.inference.guesses or self.doubt)
        if not sure or self._deployment[0]:
            return
        broken = broken_in(matcher)
        if broken:
            raise Stop("diverges", told(broken), broken=broken)

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
        """From which numbers on a VPC is large, and how often DPM asks in a row."""
        return dict(self._deployment[1])

    def learn_limits(self, said: Mapping[str, object]) -> None:
        """DPM says at its start from which numbers on a VPC is large."""
        if LIMITS.keys().isdisjoint(said):
            return
        byzantine, known = self._deployment
        limits = {
            **dict(known),
            **{name: value for name, value in said.items() if name in LIMITS and type(value) is int},
        }
        if limits == dict(known):
            return
        self._deployment = byzantine, tuple(sorted(limits.items()))
        for matcher in self._matchers.values():
            if any(symbol.name in LIMITS for symbol in matcher.protocol.symbols):
                matcher.move_to(compiled(matcher.protocol, *self._deployment))
                for event, (of, action, _) in list(self._events.items()):
                    if of is matcher:
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
        again = process.started and record.line.run != process.run

        def fits() -> bool:
            return self._state_misfit(process, matcher, state) is None

        if not (again and self.inference.settle(process, record, matcher, state, fits)):
            raise self._misfit(process, record, matcher, misfit)

    def _state_misfit(self, process: Process, matcher: MatcherState, state: State) -> Misfit | None:
        """The first entry of a whole state that is not the model's."""
        for name, entries in state.items():
            for *some, value in entries:
                expected = matcher.tables.get(name, tuple(some))
                if expected != value:
                    return Misfit("state", f"state.{name}", expected, value, entry=tuple(some))
        for symbol, arguments, value in missing_entries(process, matcher, state):
            return Misfit("state", f"state.{symbol}", value, None, entry=arguments)
        return None

    def _remade(self, matcher: MatcherState, members: Members) -> Observer:
        """A compiled protocol of this validation's own, without the fast way: its tables get the indexes that a search asks for."""
        byzantine, limits = self._deployment
        observer = Observer(matcher.protocol, constants(matcher.protocol, byzantine, dict(limits)), members=members)
        for event, (of, action, _) in list(self._events.items()):
            if of is matcher:
                self._events[event] = (matcher, action, None)
        return observer

    # ------------------------------------------------------------------------------------------ what does not fit

    def _resolve_waiting(self, since: str, *, at_the_end: bool) -> None:
        """Goes on without what somebody waits for, where that is nothing against the logs; else stops.

        First come those that wait for a process that does not itself wait: it will not say any more.
        """
        waiting = self.causal_order.blocked()
        process = next((item for item in waiting if not self._waits_itself(item)), waiting[0])
        record, sender = process.waiting[0], self._awaited(process)
        by = self.causal_order.processes.get(sender)
        if by is None:
            what = f"no log of {sender} is there, which sent what this line takes; name it, or say --without {sender}"
        elif process.for_line is not None:
            _, run, number = process.for_line
            if by.late and run != by.run:
                self.causal_order.give_up_waiting(process)
                return
            what = f"line {number} of {sender}, which sent what this line takes, is not in the logs"
            if by.runs_forgotten:
                what += f", or of one of its {by.runs_forgotten:,} oldest runs, which were forgotten"
        else:
            if by.late or (at_the_end and not by.waiting):
                self.causal_order.give_up_waiting(process)
                return
            what = f"nobody is logged to have sent {written(process.for_message)}"
        why = f"{since}, and {what}"
        misfit = Misfit("missing", "messaging.message.id", what, record.line.taken)
        matcher = self._events.get(record.line.event, (next(iter(self._matchers.values())),))[0]
        divergence = self._divergence(process, record, matcher, misfit, why)
        raise Stop("inconclusive", f"{record.place}: {why}", divergence)

    def _waits_itself(self, process: Process) -> bool:
        by = self.causal_order.processes.get(self._awaited(process))
        return by is not None and bool(by.waiting)

    def _awaited(self, process: Process) -> str:
        """The process that somebody waits for."""
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
        gone = "lines are missing" if line.sequence > found.expected else "a line comes again, or too late"
        because = f"{line.process}: expected line {found.expected} of this run, found {line.sequence}: {gone}"
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
    """Compiled once for a deployment; it keeps no state."""
    return Observer(protocol, constants(protocol, byzantine, dict(thresholds)))
