"""`ondemand step`: takes steps of the role machines by hand or from a script."""

from __future__ import annotations

import re
import sys
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from conformance import configurations
from conformance.protocols import protocol_option, variant_option
from conformance.report.trace_table import call_of, changes_between
from conformance.report.violation import doc_of
from impl.cli.console import listed, no_such, write_text
from impl.cli.exits import Exit, Problem
from model.language import Action
from model.language.notation import notation
from model.language.terms import Number
from model.machines.machines import Contradiction, System, mermaid
from model.reference import itf
from model.reference.interpreter import Interpreter
from model.reference.state import Element, Occurrence, State, Trace, elements

HELP = """\
  3                     take step 3 of the list
  ask h1 r1 p1 p2       take this step: an action with its choices
  l                     list the enabled steps
  s                     print the state
  u                     undo the last step
  w FILE                write the steps as an ITF trace, for show and replay
  q                     quit
A line that begins with # is a comment."""


@click.command()
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
def step(config: str | None, diagram: str | None, protocol_name: str | None, variant: str | None) -> int:
    """Take steps of the role machines by hand: choose from the list of enabled steps. A broken promise is reported at once.

    Steps can also come from a pipe or file, one in each line; the first wrong line ends the command.

    \b
    Examples:
      ondemand step                          the default configuration
      ondemand step --config migration       a named configuration
      ondemand step --mermaid route_state    the state diagram of a lifecycle
      printf 'place p1 h1\\nstore p1 1\\nw trace.itf.json\\n' | ondemand step
    """
    protocol = configurations.meant(config, protocol_name, variant)
    if diagram is not None:
        lifecycles = {lifecycle.name: lifecycle for lifecycle in protocol.lifecycles}
        if diagram not in lifecycles:
            raise click.UsageError(no_such("lifecycle", diagram, lifecycles))
        click.echo(mermaid(protocol, lifecycles[diagram]), nl=False)
        return 0
    walk = _Walk(
        System(protocol, configurations.find(config or configurations.first(protocol), protocol)),
        Console(highlight=False),
    )
    if sys.stdin.isatty():
        walk.by_hand()
    else:
        walk.by_script()
    return int(Exit.VIOLATED if walk.broken else Exit.HOLDS)


class _Refused(Exception):
    """A line cannot be executed; the text says why, and what is possible."""


class _Walk:
    def __init__(self, system: System, console: Console) -> None:
        self._system = system
        self._console = console
        self._interpreter = Interpreter(system.protocol, system.configuration)
        self._actions = {action.name: action for action in system.protocol.actions}
        self._promises = [promise for promise in system.protocol.promises if not promise.lemma]
        self._states: list[State] = [system.state]
        self._steps: list[Occurrence] = []
        self._broken: list[bool] = []
        """For each step, whether it broke a promise."""

    @property
    def broken(self) -> bool:
        """Whether a step that was not undone broke a promise."""
        return any(self._broken)

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
            except (_Refused, Problem) as problem:
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
            except _Refused as problem:
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
                raise _Refused(f"there is no step {line}; {len(enabled)} are enabled, and l lists them")
            return enabled[int(line) - 1]
        name, *given = re.sub(r"[(),]", " ", line).split()
        if name not in self._actions:
            raise _Refused(f"{no_such('action', name, self._actions)}; ? prints the commands")
        action = self._actions[name]
        values = [value.partition("=")[2] or value for value in given]
        if len(values) != len(action.parameters):
            wanted = " ".join(parameter.name for parameter in action.parameters)
            raise _Refused(
                f"{name}: expected {len(action.parameters)} choices, found {len(values)}; write {name} {wanted}"
            )
        choices = tuple(
            (parameter.name, self._element(parameter.name, parameter.sort, value))
            for parameter, value in zip(action.parameters, values, strict=True)
        )
        chosen = Occurrence(name, choices)
        if not self._interpreter.is_enabled(self._states[-1], chosen):
            raise _Refused(f"{chosen} is not enabled: {self._why_not(action, chosen)}")
        return chosen

    def _element(self, name: str, sort: type, value: str) -> Element:
        among = elements(sort, self._system.configuration)
        found: Element = int(value) if issubclass(sort, Number) and value.isdecimal() else value
        if found not in among:
            raise _Refused(f"{name}: expected one of {listed(map(str, among))}, found {value!r}")
        return found

    def _why_not(self, action: Action, chosen: Occurrence) -> str:
        configuration = self._system.configuration
        if not configuration.allows(action.name, [value for _, value in chosen.choices]):
            return f"the configuration {configuration.name} leaves it out"
        for part in self._interpreter.conjuncts(self._states[-1], chosen):
            if not part.held:
                return f"{notation(part.node)} is false"
        return "a number would exceed its bound"

    def _take(self, chosen: Occurrence) -> None:
        try:
            events = self._system.take(chosen)
        except Contradiction as problem:
            self._system.load(self._states[-1])
            raise _Refused(f"{chosen} is not taken: {problem}") from problem
        before, after = self._states[-1], self._system.state
        self._steps.append(chosen)
        self._states.append(after)
        self._console.print(f"  [bold]{escape(str(chosen))}[/]")
        happened = [f"[bold]{escape(call_of(name, given))}[/]" for name, given in sorted(events)]
        self._print([*changes_between(before, after, self._system.protocol), *happened] or ["[dim]nothing changes[/]"])
        broken = self._interpreter.violated(before, after, events, self._promises)
        self._broken.append(broken is not None)
        if broken is not None:
            said = " ".join(doc_of(broken.name, self._system.protocol).split("\n\n")[0].split())
            self._console.print(f"  [bold red]broken: {broken.name}.[/] [red]{escape(said)}[/]")

    def _undo(self) -> None:
        if not self._steps:
            raise _Refused("there is no step to undo")
        undone = self._steps.pop()
        self._states.pop()
        self._broken.pop()
        self._system.load(self._states[-1])
        self._console.print(f"  undone: {escape(str(undone))}")

    def _write(self, file: str) -> None:
        if not file:
            raise _Refused("w needs the name of a file; write w trace.itf.json")
        trace = Trace(
            self._system.protocol.name,
            self._system.configuration,
            tuple(self._states),
            tuple(self._steps),
            "Stepped by hand.",
        )
        write_text(Path(file), itf.dumps(trace, self._system.protocol))
        self._console.print(f"  wrote {len(self._steps)} steps to {escape(file)}")

    def _list(self) -> None:
        """Prints the enabled steps by role."""
        numbered = list(enumerate(self._system.enabled(), start=1))
        for role, steps in groupby(numbered, key=lambda item: self._actions[item[1].action].role.name):
            self._console.print(f"[bold]{role}[/]")
            for number, occurrence in steps:
                self._console.print(f"{number:4} {escape(str(occurrence))}")
        if not numbered:
            self._console.print("No step is enabled; u undoes the last step.")

    def _print(self, lines: list[str]) -> None:
        for line in lines:
            self._console.print(f"    {line}")
