"""Writes outputs: to the files that options name, and to what a GitHub build reads."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from conformance.report.annotations import as_annotations
from conformance.report.junit import as_junit
from conformance.report.result import Result
from conformance.report.summary import as_markdown
from impl.cli.console import writable, write_text
from impl.cli.exits import Exit, Problem


@dataclass(frozen=True)
class Outputs:
    """The output files that the user named."""

    junit: str | None = None
    summary: str | None = None

    def write(self, result: Result) -> None:
        """Writes the named files, and for a GitHub build its annotations and its summary page.

        Raises:
            Problem: a file cannot be written.
        """
        if self.junit is not None:
            write_text(Path(self.junit), as_junit(result))
        page = os.environ.get("GITHUB_STEP_SUMMARY")
        if self.summary is not None or page:
            text = as_markdown(result)
            if self.summary is not None:
                write_text(Path(self.summary), text)
            if page:
                _append(Path(page), text)
        if os.environ.get("GITHUB_ACTIONS"):
            for line in as_annotations(result):
                sys.stderr.write(f"{line}\n")


def _append(page: Path, text: str) -> None:
    try:
        with page.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as problem:
        raise Problem(
            f"GITHUB_STEP_SUMMARY: {page} cannot be written ({problem.strerror}); name another file, or unset it",
            Exit.BAD_INPUT,
        ) from problem


_junit_option = click.option(
    "--junit",
    "junit_file",
    metavar="FILE",
    callback=writable,
    help="Write the result as JUnit XML; each case has the file and line where it is stated.",
)
_summary_option = click.option(
    "--summary",
    "summary_file",
    metavar="FILE",
    callback=writable,
    help="Write a summary in Markdown. It is also added to the file that $GITHUB_STEP_SUMMARY names.",
)


def outputs_options(command: Callable[..., int]) -> Callable[..., int]:
    """Adds `--junit` and `--summary`; the command gets both as `outputs`."""

    @functools.wraps(command)
    def with_outputs(*arguments: Any, junit_file: str | None, summary_file: str | None, **named: Any) -> int:
        return command(*arguments, outputs=Outputs(junit_file, summary_file), **named)

    return _junit_option(_summary_option(with_outputs))
