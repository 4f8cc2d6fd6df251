"""What commands have in common: consoles, tables, progress bars, JSON and JUnit files, annotations."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from xml.etree import ElementTree

import click
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from conformance.exits import Exit, Problem

ERRORS = Console(stderr=True)
"""Progress and everything that is not a result."""


P = TypeVar("P", str, Path)


def writable(_: click.Context, parameter: click.Parameter, file: P | None) -> P | None:
    """A callback for options that name a file to be written: that it can be is seen now, not after minutes of work."""
    if file is None or str(file) == "-":
        return file
    path = Path(file)
    if path.is_dir():
        raise click.BadParameter(f"{path} is a folder; name a file", param=parameter)
    if not path.parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}; make it, or name another file", param=parameter)
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise click.BadParameter(f"{path} cannot be written; name another file", param=parameter)
    return file


json_option = click.option(
    "--json",
    "json_file",
    metavar="FILE",
    callback=writable,
    help="Write the result as JSON; - is standard output, and tables go to standard error then.",
)
junit_option = click.option(
    "--junit", "junit_file", metavar="FILE", callback=writable, help="Write the result as JUnit XML."
)
save_option = click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=writable,
    help="Write the way to the violation as an ITF trace.",
)

MARKS = {"holds": "[green]✓[/]", "violated": "[red]✗[/]", "undecided": "[yellow]?[/]"}
"""How a verdict is shown in a table."""


def console_for(json_file: str | None) -> Console:
    """Where tables go: standard output, unless JSON goes there."""
    return Console(stderr=True) if json_file == "-" else Console()


def plain_table(title: str, *, left: Iterable[str] = (), right: Iterable[str] = (), mark: bool = False) -> Table:
    """A table of words on the left and figures on the right, narrow enough for every figure to be readable in 80 columns."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in left:
        table.add_column(column, no_wrap=True)
    for column in right:
        table.add_column(column, justify="right", no_wrap=True)
    if mark:
        table.add_column("", no_wrap=True)
    return table


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that does not exist: the nearest one, and all there are."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"{name!r} is no {what}{meant}; choose among {', '.join(names)}"


def write_json(result: Any, json_file: str | None) -> None:
    """Writes a result where `--json` says."""
    if json_file is None:
        return
    text = json.dumps(result, indent=1)
    if json_file == "-":
        sys.stdout.write(f"{text}\n")
    else:
        write_text(Path(json_file), f"{text}\n")


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
    write_text(Path(junit_file), ElementTree.tostring(root, encoding="unicode") + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a file that a user has named.

    Raises:
        Problem: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise Problem(f"{path}: cannot be written ({problem.strerror}); name another file", Exit.BAD_INPUT) from problem


def annotate(title: str, text: str) -> None:
    """An error annotation where the build runs on GitHub's machines."""
    if os.environ.get("GITHUB_ACTIONS"):
        for raw, escaped in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
            title, text = title.replace(raw, escaped), text.replace(raw, escaped)
        # A property ends at a comma, and its name at a colon; the message may have both.
        title = title.replace(":", "%3A").replace(",", "%2C")
        sys.stderr.write(f"::error title={title}::{text}\n")


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Callable[[int, str], None]]:
    """A bar on standard error that vanishes; the function that is given takes how much is done, and a word about it.

    Where nobody looks (a file, a build's log) there is none.
    """
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ]
    words = TextColumn("{task.fields[word]}")
    with Progress(*columns, words, console=ERRORS, transient=True, disable=not ERRORS.is_terminal) as progress:
        task = progress.add_task(what, total=total, word="")
        yield lambda done, word: progress.update(task, completed=done, word=word)


@contextmanager
def bytes_bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """As `progress_bar`, for files: the function that is given takes the bytes that are read; no total: it is not known."""
    columns = [TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=ERRORS, transient=True, disable=not ERRORS.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
