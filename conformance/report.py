"""What commands have in common: consoles, progress bars, JSON and JUnit files, annotations."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from conformance.exits import Exit, Problem

ERRORS = Console(stderr=True)
"""Progress and everything that is not a result."""

json_option = click.option(
    "--json",
    "json_file",
    metavar="FILE",
    help="Write the result as JSON; - is standard output.",
)
junit_option = click.option("--junit", "junit_file", metavar="FILE", help="Write the result as JUnit XML.")

MARKS = {"holds": "[green]✓[/]", "violated": "[red]✗[/]", "undecided": "[yellow]?[/]"}
"""How a verdict is shown in a table."""


def console_for(json_file: str | None) -> Console:
    """Where tables go: standard output, unless JSON goes there."""
    return Console(stderr=True) if json_file == "-" else Console()


def write_json(result: Any, json_file: str | None) -> None:
    """Writes a result where `--json` says."""
    if json_file is None:
        return
    text = json.dumps(result, ensure_ascii=False, indent=1)
    if json_file == "-":
        sys.stdout.write(f"{text}\n")
    else:
        _write(Path(json_file), f"{text}\n")


def write_junit(suite: str, cases: Sequence[tuple[str, float, str]], junit_file: str | None) -> None:
    """Writes test cases, each with name, seconds, and what is wrong (empty: nothing), where `--junit` says."""
    if junit_file is None:
        return
    failed = sum(bool(wrong) for _, _, wrong in cases)
    root = ElementTree.Element("testsuite", name=suite, tests=str(len(cases)), failures=str(failed))
    for name, seconds, wrong in cases:
        case = ElementTree.SubElement(root, "testcase", classname=suite, name=name, time=f"{seconds:.3f}")
        if wrong:
            ElementTree.SubElement(case, "failure", message=wrong)
    _write(Path(junit_file), ElementTree.tostring(root, encoding="unicode"))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise Problem(f"{path}: cannot be written ({problem.strerror}); name another file", Exit.BAD_INPUT) from problem


def annotate(title: str, text: str) -> None:
    """An error annotation where the build runs on GitHub's machines."""
    if os.environ.get("GITHUB_ACTIONS"):
        escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
        sys.stderr.write(f"::error title={title}::{escaped}\n")


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Callable[[int, str], None]]:
    """A bar on standard error that vanishes; the function that is given takes how much is done, and a word about it."""
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    with Progress(*columns, TextColumn("{task.fields[word]}"), console=ERRORS, transient=True) as progress:
        task = progress.add_task(what, total=total, word="")
        yield lambda done, word: progress.update(task, completed=done, word=word)
