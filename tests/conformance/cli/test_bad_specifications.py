"""A specification or configuration that nobody can use: one sentence with file and line, exit code 2, and never a verdict."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from conformance.protocols import PROTOCOLS
from conformance.specification import FROM_A_FILE, left_out
from impl.cli.exits import Exit
from tests.conformance.cli.test_commands import Ended
from tests.conformance.cli.test_own_protocol import FILES
from tests.conformance.cli.test_specification import ROOT, own

__all__ = ["own"]

LOCK, WORLD = FILES["lock.py"], FILES["lock.toml"]
LAST = LOCK.count("\n") + 1
"""The line behind the file."""

Made = Callable[[Path], object]


def text(content: str | bytes) -> Made:
    """A file with this content."""
    return lambda path: path.write_bytes(content.encode() if isinstance(content, str) else content)


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def more(lines: str) -> Made:
    """The file of the page with these lines behind it."""
    return text(LOCK + lines)


def run(folder: Path, *arguments: str) -> Ended:
    """Runs the program in a process of its own, which must end by itself."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "ONDEMAND_SPEC"))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from conformance.cli.main import main; main()", *arguments],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def refused(ended: Ended, sentence: str) -> None:
    """One sentence, which is this one; … stands for any text."""
    assert (ended.code, ended.out) == (Exit.BAD_INPUT, ""), ended
    (line,) = ended.err.splitlines()
    assert re.fullmatch(".*".join(map(re.escape, sentence.split("…"))), line), line
    assert len(line) < 1000


DEEP = """
@sometimes
def deep(client: Client) -> Formula:
    '''It is nested.'''
    formula = holds(client)
    for _ in range(10_000):
        formula = {step}
    return formula
"""

HUGE = """
from model.language.terms import Number
class Count(Number):
    '''A count.'''
@sometimes
def huge(count: Count) -> Formula:
    '''It is huge.'''
    return count == Count.of(10**5000)
"""
SAYING = """
from model.language import event
said = event(Client, Client, doc="It is said.")
@action(by=CLIENT)
def says(client: Client) -> Step:
    '''What is said is changed.'''
    return Step(then=[said.add(client, client)])
"""

NUMBERED = """
from model.language import function
from model.language.terms import Number
class Count(Number):
    '''A count.'''
many = function(Client, to=Count, doc="How many.", holder=CLIENT)
@always()
def numbered(client: Client) -> Formula:
    '''It is a number.'''
    return {claimed}
"""
TAKEN = """
@definition
def the_peer_is_told(journal: Journal) -> Formula:
    '''The name is taken.'''
    return newest(journal) == newest(journal)
"""

SPECIFICATIONS: Mapping[str, tuple[Made, str]] = {
    # what Python can do
    "raises an error": (more("1 / 0\n"), f"own.py, line {LAST}: division by zero"),
    "raises an error of two lines": (more("raise ValueError('one\\ntwo')\n"), f"own.py, line {LAST}: one two"),
    "raises an error without a text": (more("assert False\n"), f"own.py, line {LAST}: AssertionError"),
    "ends the program with 0": (
        more("import sys\nsys.exit(0)\n"),
        f"own.py, line {LAST + 1}: ends the program (SystemExit); a specification only declares",
    ),
    "ends the program with 1": (
        more("raise SystemExit(1)\n"),
        f"own.py, line {LAST}: ends the program (SystemExit); …",
    ),
    "ends the program by a sentence": (
        more("raise SystemExit('no')\n"),
        f"own.py, line {LAST}: ends the program (SystemExit); …",
    ),
    "is interrupted": (
        more("raise KeyboardInterrupt\n"),
        f"own.py, line {LAST}: ends the program (KeyboardInterrupt); …",
    ),
    "stops a generator": (more("raise GeneratorExit\n"), f"own.py, line {LAST}: ends the program (GeneratorExit); …"),
    "raises an exception of its own": (
        more("class Bad(BaseException): pass\nraise Bad\n"),
        f"own.py, line {LAST + 1}: ends the program (Bad); …",
    ),
    "raises our own exception": (
        more("import click\nraise click.exceptions.Exit(0)\n"),
        f"own.py, line {LAST + 1}: …",
    ),
    "raises in a declaration": (
        more("@sometimes\ndef wrong(client: Client) -> Formula:\n    raise SystemExit(0)\n"),
        f"own.py, line {LAST + 2}: ends the program (SystemExit); …",
    ),
    "calls itself": (
        more("def f() -> None:\n    f()\nf()\n"),
        f"own.py, line {LAST + 1}: is nested too deeply, or calls itself",
    ),
    "imports itself": (more("import own\n"), f"own.py, line {LAST}: imports itself; delete the line"),
    "imports from itself": (more("from own import holds\n"), f"own.py, line {LAST}: imports itself; delete the line"),
    "imports what is not there": (
        more("import nothing_of_this_name\n"),
        f"own.py, line {LAST}: No module named 'nothing_of_this_name'",
    ),
    "is not Python": (more("x = (\n"), f"own.py, line {LAST}: '(' was never closed"),
    "has a number of 5,000 digits": (
        more(f"x = {'9' * 5000}\n"),
        f"own.py, line {LAST}: Exceeds the limit (4300 digits)…",
    ),
    "has 10,000 brackets": (
        more(f"x = {'(' * 10_000}1{')' * 10_000}\n"),
        f"own.py, line {LAST}: too many nested parentheses",
    ),
    "has 10,000 operators": (
        more(f"x = {'~' * 10_000}1\n"),
        "own.py: is nested too deeply for Python; write it in parts",
    ),
    "has 10,000 conjuncts in a row": (
        more(f"x = {' & '.join(['True'] * 10_000)}\n"),
        "own.py: is nested too deeply for Python; write it in parts",
    ),
    # what is in the file
    "is empty": (text(""), "own.py: declares no action, so it is no protocol; declare one with @action"),
    "has no promise": (
        text(LOCK[: LOCK.index("@sometimes")]),
        "own.py: declares no promise, so nothing can be checked; declare one with @always",
    ),
    "has a protocol": (
        more("from model.language import Protocol\nLOCK = Protocol.of('lock')\n"),
        "own.py, line …: LOCK is a protocol: a file is one, collected from what it declares; leave Protocol.of out",
    ),
    "declares a name twice": (
        more('@action(by=CLIENT)\ndef ask(client: Client) -> Step:\n    """Again."""\n    return Step()\n'),
        f"own.py, line {LAST}: ask is declared twice in this module; rename one of them",
    ),
    "takes the name of a relation": (
        more('holds = relation(Client, doc="Another one.", holder=CLIENT)\n'),
        "own.py, line …: … uses a symbol (The client has the lock.), which no module of the protocol holds…",
    ),
    "gives a relation two names": (
        more("has = holds\n"),
        f"own.py, line {LAST}: has: the name is taken, or the declaration …",
    ),
    "has a private action": (
        more('@action(by=CLIENT)\ndef _ask(client: Client) -> Step:\n    """Hidden."""\n    return Step()\n'),
        f"own.py, line {LAST + 1}: _ask: the name of a declaration begins with a letter; rename it",
    ),
    "has a sort without members": (
        more('from model.language.terms import Enumeration\nclass Side(Enumeration):\n    """Nowhere."""\n'),
        f"own.py, line {LAST + 1}: Side has no members, so nothing can have a value of it; declare one with Member",
    ),
    "nests negations": (more(DEEP.format(step="~formula")), f"own.py, line {LAST + 2}: deep is nested 10,002 deep, …"),
    "nests implications": (
        more(DEEP.format(step="implies(formula, formula)")),
        f"own.py, line {LAST + 2}: deep is nested 10,002 deep, …",
    ),
    "nests quantifiers": (
        more(DEEP.format(step="forall(Client, lambda other: formula)")),
        f"own.py, line {LAST + 6}: the body of a quantifier is nested 101 deep, and at most 100 are possible",
    ),
    "doubles a formula again and again": (
        more(DEEP.format(step="implies(formula, formula)").replace("10_000", "90")),
        f"own.py, line {LAST + 2}: deep has more than 1,000,000 parts",
    ),
    "has a number of 5,000 digits in a formula": (
        more(HUGE),
        f"own.py, line {LAST + 5}: huge has a number above 1,000,000,000, and no number of a configuration is that large",
    ),
    "promises a number": (
        more(NUMBERED.format(claimed="many(client)")),
        f"own.py, line {LAST + 6}: what numbered returns is a formula, not a count",
    ),
    "promises a conjunction with a number": (
        more(NUMBERED.format(claimed="holds(client) & many(client)")),
        f"own.py, line {LAST + 9}: what & or both joins is a formula, not a count",
    ),
    "compares formulas": (
        more(NUMBERED.format(claimed="holds(client) == holds(client)")),
        f"own.py, line {LAST + 9}: formulas are not compared by == and !=: write same(a, b) or ~same(a, b)",
    ),
    "declares a promise without brackets": (
        more(NUMBERED.format(claimed="holds(client)").replace("@always()", "@always")),
        f"own.py, line {LAST + 6}: each witness, in brackets behind the decorator, is declared by @sometimes, …",
    ),
    # what kind of file it is
    "is in Latin-1": (text(LOCK.encode() + b"# \xe9\n"), "own.py: is not Python ('utf-8' codec …"),
    "has a null byte": (
        text(LOCK.encode() + b"\0"),
        "own.py: is not Python (source code string cannot contain null bytes)",
    ),
    "has 10 MB": (
        more("#" * 10_000_000),
        "own.py: is no file of at most 1,000,000 bytes; a module of a specification is one",
    ),
    "is a loop of links": (loop, "--spec own.py: …; name a folder or a file"),
    "is a pipe": (lambda path: os.mkfifo(path), "--spec own.py: not a specification; name …"),
    "is a folder": (Path.mkdir, "--spec own.py: not a specification; name …"),
    "is not there": (lambda path: None, "--spec own.py: not a specification; name …"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("made", "sentence"), SPECIFICATIONS.values(), ids=SPECIFICATIONS.keys())
def test_a_file_that_is_no_specification(made: Made, sentence: str, tmp_path: Path) -> None:
    made(tmp_path / "own.py")
    (tmp_path / "lock.toml").write_text(WORLD, encoding="utf-8")
    refused(run(tmp_path, "--spec", "own.py", "explore", "--config", "lock.toml"), sentence)


@pytest.mark.slow
@pytest.mark.parametrize("command", FROM_A_FILE)
def test_no_command_takes_a_declaration_without_a_meaning(command: str, tmp_path: Path) -> None:
    """Only `prove` refused it, and the others did what they liked."""
    (tmp_path / "own.py").write_text(LOCK + SAYING, encoding="utf-8")
    (tmp_path / "lock.toml").write_text(WORLD, encoding="utf-8")
    given = [] if command in ("prove", "show") else ["--config", "lock.toml"]
    refused(
        run(tmp_path, "--spec", "own.py", command, *given), f"own.py, line {LAST + 4}: says: changes the event said"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("slots.py", "slots.py: the name slots is taken by a protocol of ours; rename the file"),
        ("Lock.py", "--spec Lock.py: its protocol is named after it, so call it by lower-case letters, …"),
        ("lock.txt", "--spec lock.txt: its protocol is named after it, so call it by lower-case letters, …"),
    ],
)
def test_a_file_whose_name_cannot_be_the_protocols(name: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(LOCK, encoding="utf-8")
    refused(run(tmp_path, "--spec", name, "prove"), sentence)


def append(file: str, lines: str) -> Made:
    """Adds lines to a module of the folder."""

    def change(folder: Path) -> None:
        with (folder / "spec" / file).open("a", encoding="utf-8") as opened:
            opened.write(lines)

    return change


def replaced(file: str, old: str, new: str) -> Made:
    """Replaces text in a module of the folder."""

    def change(folder: Path) -> None:
        path = folder / "spec" / file
        changed = path.read_text(encoding="utf-8").replace(old, new)
        path.unlink()
        path.write_text(changed, encoding="utf-8")

    return change


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "spec" / "failover" / "more.py")


HELD_BY_NONE = """
from model.language import always
from model.language.terms import TRUE, Formula

@always()
def is_kept() -> Formula:
    return TRUE
"""

FOLDERS: Mapping[str, tuple[Made, str]] = {
    "ends the program": (
        append("failover/actions.py", "raise SystemExit(0)\n"),
        "spec/failover/actions.py, line …: ends the program (SystemExit); …",
    ),
    "ends the program at once": (
        append("__init__.py", "raise SystemExit(0)\n"),
        "spec/__init__.py, line …: ends the program (SystemExit); …",
    ),
    "is interrupted": (
        append("slots/dpm.py", "raise KeyboardInterrupt\n"),
        "spec/slots/dpm.py, line …: ends the program (KeyboardInterrupt); …",
    ),
    "imports itself": (
        append("failover/actions.py", "import spec.failover.actions\n"),
        "spec/failover/actions.py, line …: imports itself; delete the line",
    ),
    "imports from itself": (
        append("failover/actions.py", "from spec.failover import actions\n"),
        "spec/failover/actions.py, line …: imports itself; delete the line",
    ),
    "imports in a circle": (
        append("failover/vocabulary.py", "from spec.failover.actions import NOTHING\n"),
        "spec/failover/…: cannot import name …",
    ),
    "has no protocol": (
        replaced("failover/protocol.py", "PROTOCOL = ", "OTHER = "),
        "spec/failover/protocol.py, line 1: cannot import name 'PROTOCOL' …",
    ),
    "has something else in its place": (
        append("failover/protocol.py", "PROTOCOL = 5\n"),
        "spec/failover/protocol.py: PROTOCOL is not the protocol failover; collect it with Protocol.of('failover', ...)",
    ),
    "has two protocols": (
        append("failover/protocol.py", 'OTHER = Protocol.of("other", vocabulary, actions)\n'),
        "spec/failover/protocol.py: OTHER is a second protocol, and a module has one; delete it",
    ),
    "has a protocol of a name that is taken": (
        replaced("failover/protocol.py", '"failover"', '"slots"'),
        "spec/failover/protocol.py: PROTOCOL is not the protocol failover; …",
    ),
    "has a variant of a name that is taken": (
        replaced("failover/variants.py", "def allocates_twice(", "def pushes_to_all("),
        "spec/failover/variants.py, line …: the name pushes_to_all is taken by a variant of another protocol; rename it",
    ),
    "declares a name in two modules": (
        append("failover/actions.py", TAKEN),
        "spec/failover/promises.py, line …: the_peer_is_told: the name is taken, or …",
    ),
    "has a module that no protocol has": (
        lambda folder: text(HELD_BY_NONE)(folder / "spec" / "failover" / "more.py"),
        "spec/failover/more.py, line 6: is_kept is declared in a module that no protocol has; name the module in …",
    ),
    "has a sort without members": (
        append("failover/vocabulary.py", "\n\nclass Empty(Enumeration):\n    '''Nothing.'''\n"),
        "spec/failover/vocabulary.py, line …: Empty has no members, …",
    ),
    "has a module of 10 MB": (
        append("failover/actions.py", "#" * 10_000_000),
        "spec/failover/actions.py: is no file of at most 1,000,000 bytes; …",
    ),
    "has a module that is a pipe": (pipe, "spec/failover/more.py: is no file of at most 1,000,000 bytes; …"),
    "has a module in Latin-1": (
        lambda folder: text(b"# \xe9\n")(folder / "spec" / "failover" / "actions.py"),
        "spec/failover/actions.py: is not Python ('utf-8' codec …",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("change", "sentence"), FOLDERS.values(), ids=FOLDERS.keys())
def test_a_folder_that_is_no_specification(change: Made, sentence: str, own: Path) -> None:
    change(own)
    refused(run(own, "--spec", "spec", "explore", "--config", "a-successor"), sentence)


def test_every_module_of_ours_is_part_of_a_protocol() -> None:
    assert list(left_out(ROOT / "spec", PROTOCOLS)) == []


COUNTED = (
    LOCK.replace("from model.language.terms import ", "from model.language.terms import Number, ")
    + '''
class Count(Number):
    """How often."""


often = relation(Client, Count, doc="How often.", holder=CLIENT, kind="constant")
'''
)
COUNTS = WORLD + '\n[bounds]\nCount = 2\n\n[constants]\noften = [["c1", 1]]\n'

CONFIGURATIONS: Mapping[str, tuple[Made, str]] = {
    "names a sort that is not there": (
        text(COUNTS.replace("Client =", "Clients =")),
        "own.toml, line 1: sorts: expected exactly Client, found Clients",
    ),
    "names no sort": (
        text(COUNTS.replace("Client =", "#")),
        "own.toml, line 1: sorts: expected exactly Client, found none",
    ),
    "has a sort without members": (
        text(COUNTS.replace('["c1", "c2", "c3"]', "[]")),
        "own.toml, line 2: sorts.Client: expected 1 to 64 different names …",
    ),
    "has a bound of 0": (
        text(COUNTS.replace("Count = 2", "Count = 0")),
        "own.toml, line 5: bounds.Count: expected an integer from 1 to 255, found 0",
    ),
    "has a bound of a million": (
        text(COUNTS.replace("Count = 2", "Count = 1_000_000")),
        "own.toml, line 5: bounds.Count: expected an integer from 1 to 255, found 1000000",
    ),
    "has a bound of 5,000 digits": (
        text(COUNTS.replace("Count = 2", f"Count = {'9' * 5000}")),
        "own.toml, line 5: a number has too many digits; expected one up to 255",
    ),
    "has a fraction for a bound": (
        text(COUNTS.replace("Count = 2", "Count = 2.0")),
        "own.toml, line 5: bounds.Count: …",
    ),
    "has true for a bound": (text(COUNTS.replace("Count = 2", "Count = true")), "own.toml, line 5: bounds.Count: …"),
    "has a constant of nobody": (
        text(COUNTS.replace('"c1", 1', '"c9", 1')),
        "own.toml, line 8: constants.often: expected a client among c1, c2, c3, found 'c9'",
    ),
    "has a constant that is not there": (
        text(COUNTS.replace("often =", "seldom =")),
        "own.toml, line 7: constants: expected exactly often, found seldom",
    ),
    "leaves out an action that is not there": (
        text('without = ["fly"]\n' + COUNTS),
        "own.toml, line 1: without: expected a list of names among ask, give_back, take, found ['fly']",
    ),
    "restricts an action that is not there": (
        text(COUNTS + '[only]\nfly = ["c1"]\n'),
        "own.toml, line …: only: expected an action among …",
    ),
    "restricts to nobody": (
        text(COUNTS + '[only]\nask = ["c9"]\n'),
        "own.toml, line 10: only.ask: expected for client a client …",
    ),
    "asks for an eventuality that is not there": (
        text('eventually = ["peace"]\n' + COUNTS),
        "own.toml, line 1: eventually: …",
    ),
    "has an unknown field": (text("bonds = 1\n" + COUNTS), "own.toml, line 1: unknown field 'bonds'; …"),
    "has a constant nested 10,000 deep": (
        text(COUNTS.replace('[["c1", 1]]', "[" * 10_000 + "]" * 10_000)),
        "own.toml: is nested too deeply to be a configuration",
    ),
    "has a table nested 10,000 deep": (
        text(f"without.{'.'.join('a' * 10_000)} = 1\n" + COUNTS),
        "own.toml: is nested too deeply to be a configuration",
    ),
    "has a list of 100,000 entries": (
        text(COUNTS.replace('[["c1", 1]]', str(list(range(100_000))))),
        "own.toml, line 8: constants.often: …...",
    ),
    "is not TOML": (text(COUNTS + "x = \n"), "own.toml: is not TOML: … line 9, …"),
    "says a thing twice": (text(COUNTS + "[sorts]\n"), "own.toml: is not TOML: … line 9, …"),
    "is empty": (text(""), "own.toml: sorts: expected exactly Client, found none"),
    "is in Latin-1": (
        text(COUNTS.encode() + b"# \xe9\n"),
        "own.toml, line 9: is not TOML: 'utf-8' codec can't decode byte 0xe9 …",
    ),
    "has 10 MB": (
        text(COUNTS + "#" * 10_000_000),
        "own.toml: is no file of at most 1,000,000 bytes; name a configuration file",
    ),
    "is a folder": (Path.mkdir, "own.toml: is no file of at most 1,000,000 bytes; name a configuration file"),
    "is a pipe": (
        lambda path: os.mkfifo(path),
        "own.toml: is no file of at most 1,000,000 bytes; name a configuration file",
    ),
    "is a device": (
        lambda path: path.symlink_to("/dev/zero"),
        "own.toml: is no file of at most 1,000,000 bytes; name a configuration file",
    ),
    "is a loop of links": (
        loop,
        "own.toml: cannot be read (Too many levels of symbolic links); name an existing configuration file",
    ),
    "is not there": (
        lambda path: None,
        "own.toml: cannot be read (No such file or directory); name an existing configuration file",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("made", "sentence"), CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def test_a_file_that_is_no_configuration(made: Made, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text(COUNTED, encoding="utf-8")
    made(tmp_path / "own.toml")
    refused(run(tmp_path, "--spec", "counted.py", "explore", "--config", "own.toml"), sentence)


@pytest.mark.slow
def test_the_inputs_that_are_damaged_here_are_right(tmp_path: Path) -> None:
    (tmp_path / "counted.py").write_text(COUNTED, encoding="utf-8")
    (tmp_path / "own.toml").write_text(COUNTS, encoding="utf-8")
    assert run(tmp_path, "--spec", "counted.py", "explore", "--config", "own.toml").code == Exit.HOLDS


@pytest.mark.slow
def test_a_conjunction_may_be_as_long_as_it_likes(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(LOCK + DEEP.format(step="formula & holds(client)"), encoding="utf-8")
    (tmp_path / "lock.toml").write_text(WORLD, encoding="utf-8")
    assert run(tmp_path, "--spec", "own.py", "explore", "--config", "lock.toml").code == Exit.HOLDS
