"""Validates a running deployment: takes lines as they arrive, and stops at the first that does not fit.

Memory is that of the matcher; the reorder window bounds the lines that wait for other processes. Streams are read in turns, those
without waiting lines first, so that a stream far ahead does not fill the window.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from conformance.logs.one_pass import FOLLOWING, no_collector
from conformance.logs.reading import Record
from conformance.logs.validate import Validation
from conformance.logs.verdict import Verdict
from conformance.watch import checkpoint as checkpoints
from conformance.watch.streams import Position, Source, Stream
from impl.cli.exits import Problem
from impl.errors import EnvironmentProblem

TURN_LINES: Final = 256
"""Lines read from one stream per turn."""

ROUND_LINES: Final = 2_048
"""Lines per round; then the streams are ordered by progress again."""

LOOK_SECONDS: Final = 1.0
"""Time between two searches for new processes."""

IDLE_SECONDS: Final = 0.2
"""Pause when no line has arrived."""

CHECKPOINT_SECONDS: Final = 30.0
"""Time between two checkpoints: matching the lines of half a minute again takes seconds."""

Sleep = Callable[[float], object]


class Watch:
    """One watch; `run` returns when it ends."""

    def __init__(
        self,
        source: Source,
        validation: Validation,
        *,
        checkpoint: Path | None = None,
        options: Mapping[str, Any] | None = None,
        positions: Mapping[str, Position] | None = None,
        sleep: Sleep = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`options`: those that decide how lines are interpreted, kept in the checkpoint. `positions`: of streams read before."""
        self.validation = validation
        self.last: Record | None = None
        """The last line read."""
        self.caught_up = False
        """Whether the last round found no line."""
        self._source = source
        self._streams: dict[str, Stream] = {}
        self._positions = dict(positions or {})
        self._checkpoint = checkpoint
        self._options = dict(options or {})
        self._processes: dict[str, str] = {}
        """By stream: the process of its last line."""
        self._clocks: dict[str, int] = {}
        """By stream: the time of its last line by its process's clock. It orders no lines; see `conformance.logs.merging`."""
        self._sleep = sleep
        self._clock = clock
        self._rest: list[Record] = []
        """Lines that the stream returned after the line that did not fit."""
        self._came_at = self._looked = -float("inf")
        self._saved = clock()

    # ------------------------------------------------------------------------------------------------- what it reports

    @property
    def verdict(self) -> Verdict | None:
        """The verdict that ended the watch; None while all lines fit."""
        return self.validation.stopped

    def seconds_behind(self, now: float) -> float:
        """The age of the last line read, by its process's clock, at `now` in seconds since 1970; 0 if there are no more lines."""
        return 0.0 if self.caught_up or self.last is None else max(0.0, now - self.last.line.time / 1e9)

    @property
    def noted(self) -> Mapping[str, int]:
        """Counts of events other than steps, by kind."""
        return {**self.validation.counts, **self.validation.inference.counts}

    def came_since(self, moment: float) -> bool:
        """Whether a line was read after this time of the watch's clock."""
        return self._came_at > moment

    @property
    def positions(self) -> dict[str, Position]:
        """How far each stream was read."""
        return {**self._positions, **{name: stream.position for name, stream in self._streams.items()}}

    # -------------------------------------------------------------------------------------------------------- doing

    def run(self, keep_going: Callable[[], bool]) -> Verdict | None:
        """Takes lines until one does not fit, or `keep_going`, called after each round, returns False.

        Raises:
            Problem: a line is invalid.
            EnvironmentProblem: the logs cannot be reached; a later call continues at the same position.
        """
        with no_collector():
            while self.verdict is None:
                came = self.round()
                if self.verdict is not None:
                    return self._with_what_follows(self.verdict)
                self.save(self._clock() - self._saved >= CHECKPOINT_SECONDS)
                if not keep_going():
                    break
                if not came:
                    self._sleep(IDLE_SECONDS)
        return self.verdict

    def round(self) -> int:
        """Takes some lines of each stream that has any; returns how many."""
        now = self._clock()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._streams.update(self._source.look())
        streams = sorted(self._streams.values(), key=lambda stream: self._clocks.get(stream.name, 0))
        free = [stream for stream in streams if not self._waits(stream)]
        came = self._taken(free)
        if not came and self.verdict is None:
            came = self._taken([stream for stream in streams if stream not in free])
        self.caught_up = not came
        if came:
            self._came_at = now
        return came

    def _taken(self, streams: list[Stream]) -> int:
        """Takes some lines of these streams, in their order, up to a round; returns how many."""
        came = 0
        feed = self.validation.feed
        for stream in streams:
            some = stream.some(TURN_LINES)
            for place, record in enumerate(some):
                came += 1
                if feed(record) is not None:
                    self.last = record
                    self._rest = list(some[place + 1 :])
                    return came
            if some:
                self.last = some[-1]
                self._processes[stream.name] = self.last.line.process
                self._clocks[stream.name] = self.last.line.time
            if came >= ROUND_LINES:
                break
        return came

    def _waits(self, stream: Stream) -> bool:
        process = self.validation.causal_order.processes.get(self._processes.get(stream.name, ""))
        return process is not None and bool(process.waiting)

    def _with_what_follows(self, verdict: Verdict) -> Verdict:
        """The verdict with the available following lines, on which an explanation tries edits."""
        if verdict.divergence is None:
            return verdict
        following = tuple(self._following())
        return replace(verdict, divergence=replace(verdict.divergence, following=following))

    def _following(self) -> Iterator[Record]:
        yield from self._rest
        count, came = len(self._rest), True
        try:
            while came and count < FOLLOWING:
                came = False
                for stream in self._streams.values():
                    for record in stream.some(TURN_LINES):
                        came = True
                        count += 1
                        yield record
        except (Problem, EnvironmentProblem):
            return  # the divergence comes before an invalid or unavailable line

    # -------------------------------------------------------------------------------------------------- checkpoints

    def save(self, due: bool = True) -> None:
        """Writes the checkpoint if one is wanted and due. A stopped watch writes none: resuming finds the divergence again."""
        if self._checkpoint is None or not due or self.verdict is not None:
            return
        checkpoints.write(checkpoints.saved(self.validation, self.positions, self._options), self._checkpoint)
        self._saved = self._clock()
