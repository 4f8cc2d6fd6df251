"""What commands have in common: consoles, tables, progress bars, JSON files."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

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

from impl.cli.exits import Exit, Problem

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
save_option = click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=writable,
    help="Write the way to the violation as an ITF trace.",
)

PLAIN_MARKS: Final = {"holds": "✓", "violated": "✗", "undecided": "?"}
"""How a verdict is shown in a table."""
_COLOURS: Final = {"holds": "green", "violated": "red", "undecided": "yellow"}
MARKS: Final = {verdict: f"[{_COLOURS[verdict]}]{mark}[/]" for verdict, mark in PLAIN_MARKS.items()}
"""The same for a terminal."""


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


def write_text(path: Path, text: str) -> None:
    """Writes a file that a user has named.

    Raises:
        Problem: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise Problem(f"{path}: cannot be written ({problem.strerror}); name another file", Exit.BAD_INPUT) from problem


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
