"""What commands share: consoles, tables, lists of names, progress bars, JSON files."""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import click
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from impl.cli.exits import Exit, Problem

ERRORS = Console(stderr=True)
"""The console for progress and for everything that is not a result."""

NAMES_SHOWN: Final = 12
"""Names of a list that are printed before it is cut."""


P = TypeVar("P", str, Path)


def writable(_: click.Context, parameter: click.Parameter, file: P | None) -> P | None:
    """A callback for options that name an output file: checks that it can be written before minutes of work begin."""
    if file is None or str(file) == "-":
        return file
    path = Path(file)
    if path.is_dir():
        raise click.BadParameter(f"{path} is a folder; name a file in it", param=parameter)
    if not path.parent.is_dir():
        raise click.BadParameter(
            f"the folder {path.parent} does not exist; create it, or name another file", param=parameter
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise click.BadParameter(f"{path} cannot be written; name another file", param=parameter)
    return file


def options(*given: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A decorator that adds these options to a command, in this order."""

    def decorated(command: Any) -> Any:
        for option in reversed(given):
            command = option(command)
        return command

    return decorated


json_option = click.option(
    "--json",
    "json_file",
    metavar="FILE",
    callback=writable,
    help="Write the result as JSON. With -, it goes to standard output, and tables go to standard error.",
)
save_option = click.option(
    "--save",
    type=click.Path(path_type=Path),
    metavar="FILE",
    callback=writable,
    help="Write the counterexample: as a scenario to *.scenario, else as an ITF file.",
)

PLAIN_MARKS: Final = {"holds": "✓", "violated": "✗", "undecided": "?"}
"""The mark of each verdict in a table."""
_COLOURS: Final = {"holds": "green", "violated": "red", "undecided": "yellow"}
MARKS: Final = {verdict: f"[{_COLOURS[verdict]}]{mark}[/]" for verdict, mark in PLAIN_MARKS.items()}
"""The same, with colors for a terminal."""


def console_for(json_file: str | None) -> Console:
    """The console for tables: standard output, unless the JSON goes there."""
    return Console(stderr=True) if json_file == "-" else Console()


def plain_table(title: str, *, left: Iterable[str] = (), right: Iterable[str] = (), mark: bool = False) -> Table:
    """A table with words on the left and figures on the right, narrow enough that every figure is readable in 80 columns."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), show_edge=False)
    for column in left:
        table.add_column(column, no_wrap=True)
    for column in right:
        table.add_column(column, justify="right", no_wrap=True)
    if mark:
        table.add_column("", no_wrap=True)
    return table


def no_such(what: str, name: str, known: Iterable[str]) -> str:
    """The sentence for a name that does not exist: the nearest known name, and the known names, cut if there are many."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"unknown {what} {name!r}{meant}; choose one of {listed(names)}"


def listed(names: Iterable[str], most: int = NAMES_SHOWN, separator: str = ", ") -> str:
    """The names in one line; of more than `most`, the first `most` and how many more there are."""
    every = list(names)
    if len(every) <= most:
        return separator.join(every)
    return f"{separator.join(every[:most])} and {len(every) - most:,} more"


def write_json(result: Any, json_file: str | None) -> None:
    """Writes a result to the file that `--json` names."""
    if json_file is None:
        return
    text = json.dumps(result, indent=1)
    if json_file == "-":
        sys.stdout.write(f"{text}\n")
    else:
        write_text(Path(json_file), f"{text}\n")


def write_text(path: Path, text: str) -> None:
    """Writes a file that the user named.

    Raises:
        Problem: the file cannot be written.
    """
    with writing(path):
        path.write_text(text, encoding="utf-8")


@contextmanager
def writing(path: object, remedy: str = "name another file", cannot: str = "cannot be written") -> Iterator[None]:
    """Inside this block a file or folder is written that the user named.

    Raises:
        Problem: the system refuses that.
    """
    try:
        yield
    except OSError as problem:
        raise Problem(f"{path}: {cannot} ({problem.strerror}); {remedy}", Exit.BAD_INPUT) from problem


def make_folder(folder: Path) -> None:
    """Makes a folder that the user named, if it is not there.

    Raises:
        Problem: it cannot be made.
    """
    with writing(folder, "name another folder", "cannot be created"):
        folder.mkdir(parents=True, exist_ok=True)


class Tell(Protocol):
    """Reports progress to a bar."""

    def __call__(self, done: int, word: str, total: int | None = None) -> None:
        """`done`: how much is done. `word`: a remark, such as what is in work. `total`: of how much, once it is known."""


class _Count(ProgressColumn):
    """How much is done, and of how much where that is known."""

    def render(self, task: Task) -> Text:
        total = f" of {task.total:,.0f}" if task.total is not None else ""
        return Text(f"{task.completed:,.0f}{total}")


class _Left(ProgressColumn):
    """The time that is left, where the total and the speed are known."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        seconds = task.time_remaining if task.total is not None else None
        if seconds is None or task.finished:
            return Text("")
        minutes, rest = divmod(int(seconds), 60)
        return Text(f"{minutes}:{rest:02} left")


@contextmanager
def progress_bar(what: str, total: int | None = None) -> Iterator[Tell]:
    """A transient bar on standard error; yields the function that reports progress to it.

    `total`: how much there is to do, if it is known now. Standard error that is no terminal gets no bar.
    """
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), _Count(), TimeElapsedColumn(), _Left()]
    words = TextColumn("{task.fields[word]}")
    with Progress(*columns, words, console=ERRORS, transient=True, disable=not ERRORS.is_terminal) as progress:
        task = progress.add_task(what, total=total, word="")
        known = [total]

        def tell(done: int, word: str, total: int | None = None) -> None:
            if total is not None and total != known[0] and not progress.disable:
                known[0] = total
                progress.reset(task, total=total)  # another part has begun: its speed is not that of the last one
            progress.update(task, completed=done, word=word)

        yield tell


@contextmanager
def bytes_bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """As `progress_bar`, for files: the yielded function takes the bytes read so far. `total`: their size, None if unknown."""
    columns = [TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=ERRORS, transient=True, disable=not ERRORS.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
