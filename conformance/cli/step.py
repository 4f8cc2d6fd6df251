"""`ondemand step`: takes steps of the role machines by hand or from a script."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from conformance import configurations
from conformance.protocols import PROTOCOLS, protocol_option, variant_option
from conformance.replay.replays import read_vector
from conformance.report.diagram import call_of
from conformance.report.trace_table import changes_between
from conformance.report.violation import doc_of
from conformance.vectors.scenario import written
from conformance.vectors.steps import Malformed, occurrence_of
from impl.cli.console import no_such, write_text
from impl.cli.exits import Exit, Problem
from model.language import Promise
from model.machines.machines import Contradiction, System, mermaid
from model.reference.interpreter import Events, Interpreter
from model.reference.state import Occurrence, State, Trace

HELP = """\
  3                     take step 3 of the list
  ask h1 r1 p1 p2       take this step: an action with its choices
  l                     list the enabled steps
  s                     print the state
  u                     undo the last step
  w FILE                write the steps as a scenario or, to *.itf.json, as an ITF file, for show and replay
  q                     quit
A line that begins with # is a comment."""


@click.command()
@click.argument("trace", type=click.Path(path_type=Path), required=False)
@click.option(
    "--config",
    help=f"{configurations.CONFIG_HELP}. [default: the one that leaves out the fewest actions]",
    metavar="NAME",
)
@click.option(
    "--mermaid", "diagram", metavar="LIFECYCLE", help="Print only the state diagram of a lifecycle, in Mermaid."
)
@protocol_option
@variant_option
def step(
    trace: Path | None, config: str | None, diagram: str | None, protocol_name: str | None, variant: str | None
) -> int:
    """Take steps of the role machines by hand: choose from the list of enabled steps. A broken promise is reported at once.

    TRACE is a scenario or an ITF file: its steps are taken first. Steps can also come from a pipe or file, one in each line; the
    first wrong line ends the command.

    \b
    Examples:
      ondemand step                          the default configuration
      ondemand step --config migration       a named configuration
      ondemand step run.scenario             continue a run
      ondemand step --mermaid route_state    the state diagram of a lifecycle
      printf 'place p1 h1\\nstore p1 1\\nw run.scenario\\n' | ondemand step
    """
    if trace is not None:
        if any(option is not None for option in (config, diagram, protocol_name, variant)):
            raise Problem(f"{trace}: says its protocol and configuration; leave the options out", Exit.BAD_INPUT)
        vector = read_vector(trace, *PROTOCOLS)
        return _walked(_Walk(System(vector.protocol, vector.trace.configuration), vector.trace.steps))
    protocol = configurations.meant(config, protocol_name, variant)
    if diagram is not None:
        lifecycles = {lifecycle.name: lifecycle for lifecycle in protocol.lifecycles}
        if diagram not in lifecycles:
            raise click.UsageError(no_such("lifecycle", diagram, lifecycles))
        click.echo(mermaid(protocol, lifecycles[diagram]), nl=False)
        return 0
    return _walked(_Walk(System(protocol, configurations.find(config or configurations.first(protocol), protocol))))


def _walked(walk: _Walk) -> int:
    """The exit code of a walk by hand or, if nobody is there, by script."""
    if sys.stdin.isatty():
        walk.by_hand()
    else:
        walk.by_script()
    return int(Exit.VIOLATED if walk.broken else Exit.HOLDS)


class _Walk:
    def __init__(self, system: System, steps: Iterable[Occurrence] = ()) -> None:
        self._system = system
        self._console = Console(highlight=False)
        self._interpreter = Interpreter(system.protocol, system.configuration)
        self._actions = {action.name: action for action in system.protocol.actions}
        self._promises = [promise for promise in system.protocol.promises if not promise.lemma]
        self._states: list[State] = [system.state]
        self._steps: list[Occurrence] = []
        self._broken: list[bool] = []
        """For each step, whether it broke a promise."""
        about_states = [promise for promise in self._promises if promise.kind == "always"]
        self._begins_broken = self._breaks(system.state, system.state, frozenset(), about_states)
        for each_step in steps:
            self._take(each_step)

    @property
    def broken(self) -> bool:
        """Whether a promise is broken at the start, or by a step that was not undone."""
        return self._begins_broken or any(self._broken)

    def by_hand(self) -> None:
        """Prompts for lines until the user quits."""
        self._console.print(f"[bold]{escape(self._system.configuration.doc)}[/]\n{HELP}\n")
        self._list()
        while True:
            try:
                line = self._console.input(f"[bold]step {len(self._steps) + 1}>[/] ").strip()
            except EOFError:
                self._console.print()
                return
            before = len(self._steps)
            try:
                if not self._follow(line):
                    return
            except (Malformed, Problem) as problem:
                self._console.print(f"[red]{escape(str(problem))}[/]")
            if len(self._steps) != before:
                self._list()

    def by_script(self) -> None:
        """Executes the lines of standard input, printing each line before its result.

        Raises:
            Problem: a line cannot be executed.
        """
        for number, line in enumerate(sys.stdin, start=1):
            if line.strip() and not line.strip().startswith("#"):
                self._console.print(f"[bold]step {len(self._steps) + 1}>[/] {escape(line.strip())}")
            try:
                if not self._follow(line.strip()):
                    return
            except Malformed as problem:
                raise Problem(f"standard input, line {number}: {problem}", Exit.BAD_INPUT) from problem

    def _follow(self, line: str) -> bool:
        """Executes a line; false if it was the last one."""
        word, _, rest = line.partition(" ")
        if word == "q" and not rest:
            return False
        if word == "u" and not rest:
            self._undo()
        elif word == "s" and not rest:
            changes = changes_between(None, self._states[-1], self._system.protocol)
            self._print(changes or ["the initial state"])
        elif word == "l" and not rest:
            self._list()
        elif word in ("?", "h", "help"):
            self._console.print(HELP)
        elif word == "w":
            self._write(rest.strip())
        elif word and not word.startswith("#"):
            self._take(self._chosen(line))
        return True

    def _chosen(self, line: str) -> Occurrence:
        """The step that a line names: by its number in the list, or as an action with its choices."""
        if line.isdecimal():
            enabled = self._system.enabled()
            if not 0 < int(line) <= len(enabled):
                raise Malformed(f"there is no step {line}; {len(enabled)} are enabled, and l lists them")
            return enabled[int(line) - 1]
        name, *given = re.sub(r"[(),]", " ", line).split()
        try:
            chosen = occurrence_of([name, *(value.partition("=")[2] or value for value in given)], self._interpreter)
        except Malformed as problem:
            raise Malformed(f"{problem}; ? prints the commands") from problem
        if not self._interpreter.is_enabled(self._states[-1], chosen):
            raise Malformed(f"{chosen} is not enabled: {self._interpreter.why_not(self._states[-1], chosen)}")
        return chosen

    def _take(self, chosen: Occurrence) -> None:
        try:
            events = self._system.take(chosen)
        except Contradiction as problem:
            self._system.load(self._states[-1])
            raise Malformed(f"{chosen} is not taken: {problem}") from problem
        before, after = self._states[-1], self._system.state
        self._steps.append(chosen)
        self._states.append(after)
        self._console.print(f"  [bold]{escape(str(chosen))}[/]")
        happened = [f"[bold]{escape(call_of(name, given))}[/]" for name, given in sorted(events)]
        self._print([*changes_between(before, after, self._system.protocol), *happened] or ["[dim]nothing changes[/]"])
        self._broken.append(self._breaks(before, after, events, self._promises))

    def _breaks(self, before: State, after: State, events: Events, promises: Sequence[Promise]) -> bool:
        """Whether one of the promises is broken; if so, it is printed."""
        broken = self._interpreter.violated(before, after, events, promises)
        if broken is not None:
            said = " ".join(doc_of(broken.name, self._system.protocol).split("\n\n")[0].split())
            self._console.print(f"  [bold red]broken: {broken.name}.[/] [red]{escape(said)}[/]")
        return broken is not None

    def _undo(self) -> None:
        if not self._steps:
            raise Malformed("there is no step to undo")
        undone = self._steps.pop()
        self._states.pop()
        self._broken.pop()
        self._system.load(self._states[-1])
        self._console.print(f"  undone: {escape(str(undone))}")

    def _write(self, file: str) -> None:
        if not file:
            raise Malformed("w needs the name of a file; write w run.scenario")
        trace = Trace(
            self._system.protocol.name,
            self._system.configuration,
            tuple(self._states),
            tuple(self._steps),
            "Stepped by hand.",
        )
        write_text(Path(file), written(Path(file), trace, self._system.protocol))
        self._console.print(f"  wrote {len(self._steps)} steps to {escape(file)}")

    def _list(self) -> None:
        """Prints the enabled steps by role, and those that a bound cuts."""
        guarded = list(self._system.guarded())
        numbered = list(enumerate((occurrence for occurrence, cut in guarded if cut is None), start=1))
        for role, steps in groupby(numbered, key=lambda item: self._actions[item[1].action].role.name):
            self._console.print(f"[bold]{role}[/]")
            for number, occurrence in steps:
                self._console.print(f"{number:4} {escape(str(occurrence))}")
        bounds = self._system.configuration.bounds
        for occurrence, cut in guarded:
            if cut is not None:
                self._console.print(
                    f"     [dim]{escape(f'{occurrence} would leave the bounds: {cut.shown(bounds)}')}[/]"
                )
        if not numbered:
            self._console.print("No step is enabled; u undoes the last step.")

    def _print(self, lines: list[str]) -> None:
        for line in lines:
            self._console.print(f"    {line}")
