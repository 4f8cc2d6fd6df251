"""The command line: one module in `conformance/commands` per command, loaded only when it is asked for."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

import click

from conformance import statement
from conformance.exits import Exit, Problem
from conformance.report import no_such
from impl.errors import BadDeployment, EnvironmentProblem
from model.errors import BadInput

COMMANDS: Final[Mapping[str, str]] = {
    "check": "All of it: one table of promise and evidence.",
    "prove": "Prove every promise, without bounds.",
    "explore": "Visit every state of a bounded configuration.",
    "bounded": "Look for a short violation in a world too large to explore.",
    "live": "Decide what happens eventually, in every fair run of a bounded configuration.",
    "simulate": "Long random runs of the role machines.",
    "replay": "Replay traces on the implementation, step by step.",
    "shrink": "Make a run that diverges small, and say how often it does.",
    "permissive": "Offer the implementation what the statement permits and it never did.",
    "record": "Collect the event logs of a running deployment.",
    "validate": "Decide whether the logs of a deployment are a behaviour of the specification.",
    "watch": "Hold a deployment against the specification while it runs.",
    "show": "Print a trace as a table and a sequence diagram.",
    "step": "Take steps of the role machines by hand.",
    "demo": "One NCM, one test controller, two hosts with a pod each, on a real broker.",
    "run": "Run a service: dpm, ncm or aca.",
    "alcor": "Run a service on Alcor's own wire, without a broker.",
    "slots": "Run DPM or an agent where hosts share their VPC's topic by slots.",
    "host": "Register a host, or remove one.",
    "broker": "Start a Pulsar broker.",
    "bench": "Measure the numbers of the README.",
    "matrix": "Mutate the statement by rule, and see what notices.",
    "docs": "Write spec/protocol.md from the specification.",
    "golden": "Write all generated files anew.",
}


PIPE_CLOSED: Final = 141
"""What a shell says of a program whose reader has left: it is no verdict."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in COMMANDS:
            raise click.UsageError(no_such("command", cmd_name, COMMANDS), ctx)
        module = _loaded(f"conformance.commands.{cmd_name}")
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # Listing must not import every engine, so the one-line helps stand above.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _loaded(name: str) -> ModuleType:
    """The module of a command, and with it the specification; what is wrong with that one is said by file and line."""
    try:
        return importlib.import_module(name)
    except Exception as problem:  # a statement may fail in any way that a program can
        place = statement.place_of(problem)
        if place is None:
            raise
        (file, line), said = place, " ".join(str(problem).split()) or type(problem).__name__
        _tell_the_build(file, line, said)
        raise Problem(f"{os.path.relpath(file)}, line {line}: {said}", Exit.BAD_INPUT) from problem


def _tell_the_build(file: str, line: int, said: str) -> None:
    """Shows beside the line what is wrong with it."""
    # Here, since outputs need the language of specifications, and what is to be used of them is known by now only.
    from conformance.outputs.result import Finding, Result
    from conformance.outputs.writing import Outputs
    from spec.language import Source

    finding = Finding("no specification", said, Source(file, line))
    Outputs().write(Result("", Exit.BAD_INPUT, findings=[finding]))


def _use(_: click.Context, __: click.Parameter, folder: Path | None) -> None:
    if folder is not None:
        statement.use(folder)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alcor-on-demand")
@click.option(
    "--spec",
    envvar="ONDEMAND_SPEC",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_use,
    help="A specification of your own: a copy of spec/ with your changes. [default: the one beside these engines]",
)
def program() -> None:
    """Alcor's on-demand protocol: proved, explored, executed, and replayed on a real broker.

    \b
    Examples:
      ondemand check                        all promises with all evidence
      ondemand explore --config two-hosts   one configuration
      ondemand replay --target pulsar       every vector on a real broker
    """


def _sentence(problem: click.ClickException) -> str:
    """What is wrong with the usage, and where to read what is right."""
    said = problem.format_message().rstrip(".")
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    return f"{context.command_path}: {said}; see {context.command_path} --help" if context else said


def main() -> None:
    """Run a command; every problem a user can cause ends with one sentence and its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no ✓ shows ?, and the command goes on
    try:
        code = program.main(standalone_mode=False)
    except click.exceptions.Abort:
        print("Stopped.", file=sys.stderr)  # noqa: T201 - the command line's own output
        sys.exit(130)
    except SystemExit:
        sys.exit(PIPE_CLOSED)  # what prints tables ends so when nobody reads them any more
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        sys.exit(Exit.BAD_INPUT)
    except click.ClickException as problem:
        print(_sentence(problem), file=sys.stderr)  # noqa: T201 - the command line's own output
        sys.exit(Exit.BAD_INPUT)
    except (BadInput, BadDeployment) as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - the command line's own output
        sys.exit(Exit.BAD_INPUT)
    except EnvironmentProblem as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - the command line's own output
        sys.exit(Exit.ENVIRONMENT)
    except Problem as problem:
        print(problem, file=sys.stderr)  # noqa: T201 - the command line's own output
        sys.exit(problem.code)
    sys.exit(code if isinstance(code, int) else Exit.HOLDS)
