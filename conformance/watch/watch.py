"""The matcher on a deployment that runs: it takes lines as they come, and stops at the first that does not fit.

What it keeps is what the matcher keeps; the reorder window bounds what waits for lines of other processes. Streams are read in
turns, those first of which nothing waits, so that one that is far ahead does not fill the window.
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
"""Of one stream, before it is the next one's turn."""

ROUND_LINES: Final = 2_048
"""After so many it is asked again which streams have come the least far."""

LOOK_SECONDS: Final = 1.0
"""Between two looks for processes that are new."""

IDLE_SECONDS: Final = 0.2
"""To wait when nothing has come."""

CHECKPOINT_SECONDS: Final = 30.0
"""Between two checkpoints: to read and match again what half a minute brought takes seconds."""

Sleep = Callable[[float], object]


class Watch:
    """One watch. `run` it until it says that it has ended."""

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
        """`options`: what decides what lines mean, kept in the checkpoint. `positions`: of streams that were read before."""
        self.validation = validation
        self.last: Record | None = None
        """The line that was read last."""
        self.caught_up = False
        """Whether nothing more was there at the last look."""
        self._source = source
        self._streams: dict[str, Stream] = {}
        self._positions = dict(positions or {})
        self._checkpoint = checkpoint
        self._options = dict(options or {})
        self._processes: dict[str, str] = {}
        """The process of the line that a stream gave last."""
        self._clocks: dict[str, int] = {}
        """When that line was written, by its process's clock. It orders no lines; see `conformance.logs.merging`."""
        self._sleep = sleep
        self._clock = clock
        self._rest: list[Record] = []
        """What the stream gave behind the line that did not fit."""
        self._came_at = self._looked = -float("inf")
        self._saved = clock()

    # ------------------------------------------------------------------------------------------------- what it says

    @property
    def verdict(self) -> Verdict | None:
        """Why it has stopped; none: it has not, and everything so far fits."""
        return self.validation.stopped

    def seconds_behind(self, now: float) -> float:
        """How old the line was that was read last, if there are more; by its process's clock and `now`, in seconds since 1970."""
        return 0.0 if self.caught_up or self.last is None else max(0.0, now - self.last.line.time / 1e9)

    @property
    def noted(self) -> Mapping[str, int]:
        """What was counted beside steps, by kind."""
        return {**self.validation.counts, **self.validation.inference.counts}

    def came_since(self, moment: float) -> bool:
        """Whether a line was read after this moment of the watch's own clock."""
        return self._came_at > moment

    @property
    def positions(self) -> dict[str, Position]:
        """How far each stream was read."""
        return {**self._positions, **{name: one.position for name, one in self._streams.items()}}

    # -------------------------------------------------------------------------------------------------------- doing

    def run(self, told: Callable[[], bool]) -> Verdict | None:
        """Takes lines until one does not fit, or `told`, which is called after each round, says that it is enough.

        Raises:
            Problem: a line is none of a log.
            EnvironmentProblem: the logs are not to be reached; run again, it goes on where it was.
        """
        with no_collector():
            while self.verdict is None:
                came = self.round()
                if self.verdict is not None:
                    return self._with_what_follows(self.verdict)
                self.save(self._clock() - self._saved >= CHECKPOINT_SECONDS)
                if not told():
                    break
                if not came:
                    self._sleep(IDLE_SECONDS)
        return self.verdict

    def round(self) -> int:
        """Some lines of each stream that has any; how many there were."""
        now = self._clock()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._streams.update(self._source.look())
        streams = sorted(self._streams.values(), key=lambda one: self._clocks.get(one.name, 0))
        free = [stream for stream in streams if not self._waits(stream)]
        came = self._taken(free)
        if not came and self.verdict is None:
            came = self._taken([stream for stream in streams if stream not in free])
        self.caught_up = not came
        if came:
            self._came_at = now
        return came

    def _taken(self, streams: list[Stream]) -> int:
        """Some lines, of those streams first that have come the least far by their clocks; how many there were."""
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
        """With the lines that come next, as far as they are there, so that an explanation can be tried on them."""
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
            return  # that a later line is none, or is not to be had, is not what is wrong first

    # -------------------------------------------------------------------------------------------------- checkpoints

    def save(self, due: bool = True) -> None:
        """Writes the checkpoint, if one is wanted. What has stopped is not kept: resumed, it would be found once more."""
        if self._checkpoint is None or not due or self.verdict is not None:
            return
        checkpoints.write(checkpoints.saved(self.validation, self.positions, self._options), self._checkpoint)
        self._saved = self._clock()
