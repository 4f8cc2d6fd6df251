"""`ondemand`: the checks and the services. Each command is a module that is imported only when it runs."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from conformance import specification
from impl.cli.console import listed
from impl.cli.exits import Exit, Problem
from impl.cli.main import SERVICES
from impl.cli.program import Command, Commands, run_program
from model.bad_input import BadInput

_HELP: Final[Mapping[str, str]] = {
    "check": "Check everything, and print one table of promises and their evidence.",
    "prove": "Prove every promise without bounds.",
    "explore": "Visit every state of a bounded configuration.",
    "bounded": "Look for a short violation in a configuration too large to explore.",
    "live": "Decide every eventuality over all fair runs of a bounded configuration.",
    "simulate": "Run the role machines at random, and check every promise.",
    "replay": "Replay traces on the implementation, step by step.",
    "shrink": "Shrink a run that diverges, and report how often it diverges.",
    "unexercised": "Find what the statement permits and the implementation never does.",
    "record": "Collect the event logs of a running deployment.",
    "validate": "Decide whether the logs of a deployment are a behavior of the specification.",
    "watch": "Compare a deployment with the specification while it runs.",
    "agree": "Compare the engines on protocols that are drawn at random.",
    "show": "Print a trace as a table and a sequence diagram.",
    "vectors": "Write the vectors with the state after each step, for other tools.",
    "step": "Take steps of the role machines by hand or from a script.",
    "demo": "Run NCM, a test controller and two hosts on a real broker.",
    "bench": "Measure the figures in the documentation.",
    "matrix": "Mutate the statement and the implementation by rule, and report which check notices.",
    "docs": "Write the documents that are generated from the specification.",
    "golden": "Write all generated files.",
    "review": "Compare the statement with what was reviewed, or write what was reviewed now.",
}
COMMANDS: Final[Mapping[str, Command]] = {
    **{name: Command(f"conformance.cli.{name}", help_text) for name, help_text in _HELP.items()},
    **SERVICES,
}


OURS: Final = ("spec", "model", "impl", "conformance")
"""The project's own packages."""


class _Checks(Commands):
    """The commands of this program. A specification that cannot be loaded is reported with file and line."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        file = specification.file_in_use()
        if file is not None and cmd_name in COMMANDS and cmd_name not in specification.FROM_A_FILE:
            able = listed(specification.FROM_A_FILE)
            raise Problem(f"--spec {file}: a file is no input of {cmd_name}, only of {able}", Exit.BAD_INPUT)
        return super().get_command(ctx, cmd_name)

    def load(self, module: str) -> object:
        with _explained():
            return importlib.import_module(module)


@contextmanager
def _explained() -> Iterator[None]:
    """Turns whatever a specification raises while it is loaded into a sentence with its place."""
    try:
        yield
    except (Problem, BadInput):
        raise
    except BaseException as problem:  # a statement can fail, and end the program, in any way that a program can
        place = specification.place_of(problem)
        if place is None:
            if isinstance(problem, ModuleNotFoundError) and not str(problem.name).startswith(OURS):
                sentence = f"This command needs the Python package {problem.name}: install alcor-on-demand[check]"
                raise Problem(sentence, Exit.ENVIRONMENT) from problem
            raise
        (file, line), said = place, specification.said_by(problem)
        _annotate(file, line, said)
        raise Problem(f"{os.path.relpath(file)}, line {line}: {said}", Exit.BAD_INPUT) from problem


def _annotate(file: str, line: int, said: str) -> None:
    """Writes the problem as an annotation, if a build reads annotations."""
    # Imported here: these modules import the specification, and which one is in use is known only now.
    from conformance.report.result import Finding, Result
    from conformance.report.writing import Outputs
    from model.language import Source

    finding = Finding("no specification", said, Source(file, line))
    Outputs().write(Result("", Exit.BAD_INPUT, findings=[finding]))


def _use(_: click.Context, __: click.Parameter, folder: Path | None) -> None:
    if folder is not None:
        with _explained():
            specification.use(folder)


@click.group("ondemand", cls=_Checks, table=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="alcor-on-demand")
@click.option(
    "--spec",
    envvar="ONDEMAND_SPEC",
    metavar="FOLDER|FILE",
    type=click.Path(path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_use,
    help="Your own specification: a copy of the folder spec with your changes, or a Python file that declares one protocol. "
    "[default: the installed one]",
)
def program() -> None:
    """Alcor's on-demand protocol: proved, explored, executed, and replayed on a real broker.

    \b
    Examples:
      ondemand check                        all promises and their evidence
      ondemand explore --config two-hosts   all states of one configuration
      ondemand replay --target pulsar       every vector on a real broker
    """


def main() -> None:
    """Run a command."""
    run_program(program, BadInput)


if __name__ == "__main__":
    main()
