"""A command-line program: commands are loaded on demand, and one place turns problems into exit codes."""

from __future__ import annotations

import importlib
import io
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from impl.cli import crash
from impl.cli.console import no_such
from impl.cli.exits import Exit, Problem
from impl.errors import BadDeployment, EnvironmentProblem


@dataclass(frozen=True)
class Command:
    """The module of a command, and its help in one sentence: listing the commands must not import every engine."""

    module: str
    help: str


PIPE_CLOSED = 141
"""What a shell reports for a program whose reader closed the pipe. It is not a verdict."""


class Subcommands(click.Group):
    """A group of commands that names the nearest command when one does not exist."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        command = super().get_command(ctx, cmd_name)
        if command is None:
            raise click.UsageError(no_such("command", cmd_name, self.list_commands(ctx)), ctx)
        return command


class Commands(click.Group):
    """A group whose commands are imported only when they run."""

    def __init__(self, *arguments: Any, table: Mapping[str, Command], **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in self.table:
            raise click.UsageError(no_such("command", cmd_name, self.table), ctx)
        command = getattr(self.load(self.table[cmd_name].module), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def load(self, module: str) -> object:
        """The module of a command."""
        return importlib.import_module(module)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.help) for name, command in self.table.items()])


def _sentence(problem: click.ClickException) -> str:
    """What is wrong with the usage, and the command that explains the right usage."""
    said = re.sub(r"\. \(?Did you mean (.*\?)\)?$", r" (did you mean \1)", problem.format_message().rstrip("."))
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    return f"{context.command_path}: {said}; see {context.command_path} --help" if context else said


def run_program(program: click.Group, *bad_input: type[Exception]) -> None:
    """Runs a command. A problem that a user can cause ends it with one sentence and an exit code.

    Args:
        program: the group of commands.
        bad_input: exceptions of other packages that mean bad input; their text is the sentence.
    """
    expected: tuple[type[Exception], ...] = (BadDeployment, *bad_input)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without ✓ shows ? instead of failing
    try:
        code = program.main(prog_name=program.name, standalone_mode=False)
    except click.exceptions.Abort:
        end("Stopped.", 130)
    except SystemExit as ended:  # shell completion ends with 0; rich with 1 when the reader of a table is gone
        sys.exit(PIPE_CLOSED if ended.code else Exit.HOLDS)
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        sys.exit(Exit.BAD_INPUT)
    except click.ClickException as problem:
        end(_sentence(problem), Exit.BAD_INPUT)
    except expected as problem:
        end(str(problem), Exit.BAD_INPUT)
    except EnvironmentProblem as problem:
        end(str(problem), Exit.ENVIRONMENT)
    except Problem as problem:
        end(str(problem), problem.code)
    except Exception as problem:  # nothing that a user can cause
        end(crash.sentence(problem), Exit.CRASHED)
    sys.exit(code if isinstance(code, int) else Exit.HOLDS)


def end(sentence: str, code: int) -> None:
    """Ends the program with a sentence on standard error."""
    click.echo(sentence, err=True)
    sys.exit(code)
