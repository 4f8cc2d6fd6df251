"""The form of a mutation table: mutants by engines, the first check of each engine that notices, and the survivors.

A protocol has up to three matrices. `statement`: its statement is mutated, one action at a time. `claims`: what it claims about
them is, one claim at a time. `implementation`: the cores are.
Whole tables are large, so they are made and not checked in: `make matrix` writes them to `build/mutation`. What is checked in is a
summary of each (see `conformance.mutation.figures`) and, written by people, the reasons for survivors:
`reasons/PROTOCOL-HALF.toml` has a survivor's name and one sentence, `"NAME" = "why no check has to notice it"`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from conformance.data.files import SHIPPED
from impl.cli.exits import Exit, Problem

FOLDER: Final = SHIPPED / "mutation"
BUILD: Final = SHIPPED.parents[1] / "build" / "mutation"
Half = Literal["statement", "claims", "implementation"]
STATEMENT: Final[Half] = "statement"
CLAIMS: Final[Half] = "claims"
IMPLEMENTATION: Final[Half] = "implementation"
REMEDY: Final = "make matrix"


@dataclass(frozen=True, order=True)
class Check:
    """Something that can notice a mutant, whichever engine asks it."""

    kind: str
    """`promise`, `lemma`, `vector`, `pin` and the like: one word, in the table's own terms."""
    name: str


@dataclass(frozen=True)
class Kill:
    """A mutant is noticed."""

    check: Check
    """The first check that notices."""
    where: str = ""
    """Where it is seen: the configuration, or the field that differs; empty if that says nothing."""
    depth: int | None = None
    """Steps until it is seen: of a shortest way, or in the vector. None: no run is needed, as in a proof."""
    also: tuple[Check, ...] = ()
    """Other checks of the same engine that notice, where the engine asks them all."""


@dataclass(frozen=True)
class Undecided:
    """The engine stopped before it could decide. That does not count as a kill."""

    because: str


SURVIVES: Final = "survives"
Answer = Kill | Undecided | Literal["survives"]
"""What an engine says of a mutant. An engine that was not asked has no answer: it cannot see mutants of that sort."""

Fate = Literal["killed", "equivalent", "survives"]


@dataclass(frozen=True)
class Row:
    """A mutant."""

    name: str
    """Stable, unique within the table, and readable: what is mutated, and how, in the words of the text."""
    of: str
    """The action, or the function, that is mutated."""
    rule: str
    """The rule that it is made by."""
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """By engine."""
    equivalent: str = ""
    """How it was shown that the mutant means the same as the original; empty if it was not."""

    @property
    def kills(self) -> dict[str, Kill]:
        """The engines that notice it."""
        return {engine: answer for engine, answer in self.answers.items() if isinstance(answer, Kill)}

    @property
    def fate(self) -> Fate:
        """The mutant's outcome. A mutant that some engine left undecided and none killed survives."""
        if self.kills:
            return "killed"
        if self.equivalent:
            return "equivalent"
        return "survives"


@dataclass(frozen=True)
class Matrix:
    """A table. `engines` gives the columns in order, each with one sentence on what it asks."""

    protocol: str
    half: Half
    engines: Mapping[str, str]
    inputs: Mapping[str, Mapping[str, str]]
    """What the table depends on: see `conformance.mutation.digests`."""
    checks: tuple[Check, ...]
    """Every check that was asked, in order."""
    rows: tuple[Row, ...]

    def of_fate(self, fate: Fate) -> list[Row]:
        """The mutants that ended so."""
        return [row for row in self.rows if row.fate == fate]

    def killed_by(self, engine: str) -> list[Row]:
        """The mutants that an engine notices."""
        return [row for row in self.rows if engine in row.kills]

    def killed_only_by(self, engine: str) -> list[Row]:
        """The mutants that no other engine notices."""
        return [row for row in self.rows if set(row.kills) == {engine}]

    def undecided_by(self, engine: str) -> list[Row]:
        """The mutants that an engine gave no verdict on."""
        return [row for row in self.rows if isinstance(row.answers.get(engine), Undecided)]

    def asked(self, engine: str) -> list[Row]:
        """The mutants that an engine was asked about."""
        return [row for row in self.rows if engine in row.answers]

    @property
    def idle(self) -> list[Check]:
        """Checks that notice no mutant in any engine."""
        busy = {one for row in self.rows for _, one in _noticing(row)}
        return [check for check in self.checks if check not in busy]

    def guards(self, promise: Check) -> dict[Check, set[str]]:
        """The checks that notice some mutant which breaks the promise, each with the engines that ask it."""
        found: dict[Check, set[str]] = {}
        for row in self.rows:
            noticing = list(_noticing(row))
            if any(one == promise for _, one in noticing):
                for engine, one in noticing:
                    found.setdefault(one, set()).add(engine)
        return found

    @property
    def guarded_once(self) -> list[tuple[Check, str]]:
        """Promises whose mutants are all noticed by only one check of one engine, with that engine: no other check backs it up."""
        found = []
        for promise in self.checks:
            if promise.kind == "promise":
                guards = self.guards(promise)
                engines = {(one, engine) for one, asking in guards.items() for engine in asking}
                if len(engines) == 1:
                    found.append((promise, next(iter(engines))[1]))
        return found


def _noticing(row: Row) -> Iterator[tuple[str, Check]]:
    for engine, kill in row.kills.items():
        for item in (kill.check, *kill.also):
            yield engine, item


# ------------------------------------------------------------------------------------------------------- files


def rows_path(protocol: str, half: Half) -> Path:
    """The file of a whole table, one line for each mutant. It is made, and not checked in."""
    return BUILD / f"{protocol}-{half}.json"


def reasons_path(protocol: str, half: Half) -> Path:
    """The file of the reasons for survivors; there need not be one."""
    return FOLDER / "reasons" / f"{protocol}-{half}.toml"


def shown_path(path: Path) -> str:
    """A file as a message names it: from the folder of the repository on."""
    return path.relative_to(FOLDER.parents[2]).as_posix()


def text_of(matrix: Matrix) -> str:
    """A whole table as text: one line for each mutant."""
    head = {
        "protocol": matrix.protocol,
        "half": matrix.half,
        "inputs": matrix.inputs,
        "engines": dict(matrix.engines),
        "checks": _grouped(matrix.checks),
    }
    start = json.dumps(head, indent=1, ensure_ascii=False).removesuffix("\n}")
    return f'{start},\n "mutants": [\n{rows_text(matrix)}\n ]\n}}\n'


def rows_text(matrix: Matrix) -> str:
    """The rows of a table as text. Nothing in it depends on time or on the machine.

    Raises:
        ValueError: two mutants have one name, or a check that notices something is not among the checks.
    """
    names = [row.name for row in matrix.rows]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{twice[0]}: two mutants have this name")
    unknown = {check for row in matrix.rows for _, check in _noticing(row)} - set(matrix.checks)
    if unknown:
        raise ValueError(f"{min(unknown)} is not among the checks that were asked")
    return ",\n".join("  " + json.dumps(row_json(row), ensure_ascii=False) for row in matrix.rows)


def write(matrix: Matrix) -> None:
    """Writes a whole table, beside the checked-in summary."""
    path = rows_path(matrix.protocol, matrix.half)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text_of(matrix), encoding="utf-8")


def read(protocol: str, half: Half) -> Matrix | None:
    """A whole table as it was made last on this machine; none if there is no such file, or it is damaged."""
    try:
        given = json.loads(rows_path(protocol, half).read_text(encoding="utf-8"))
        return Matrix(
            given["protocol"],
            given["half"],
            given["engines"],
            given["inputs"],
            tuple(Check(kind, name) for kind, names in given["checks"].items() for name in names),
            tuple(map(row_of, given["mutants"])),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_reasons(protocol: str, half: Half) -> dict[str, str]:
    """The reasons by the names of mutants.

    Raises:
        Problem: the file is no TOML file of sentences.
    """
    path = reasons_path(protocol, half)
    if not path.exists():
        return {}
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise Problem(
            f'{shown_path(path)}: {problem}; each line is a mutant and a sentence, "NAME" = "sentence"', Exit.BAD_INPUT
        ) from problem
    for name, reason in given.items():
        if not isinstance(reason, str) or not reason.strip():
            raise Problem(
                f'{shown_path(path)}: {name}: a reason is one sentence, as in "NAME" = "sentence"', Exit.BAD_INPUT
            )
    return given


def _grouped(checks: Iterable[Check]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for check in checks:
        found.setdefault(check.kind, []).append(check.name)
    return found


def row_json(row: Row) -> dict[str, Any]:
    """A row in the form of the file."""
    given: dict[str, Any] = {"name": row.name, "of": row.of, "rule": row.rule}
    given |= {"answers": {engine: answer_json(answer) for engine, answer in row.answers.items()}}
    return given | ({"equivalent": row.equivalent} if row.equivalent else {})


def answer_json(answer: Answer) -> Any:
    """An answer in the form of the file."""
    if isinstance(answer, Undecided):
        return {"undecided": answer.because}
    if not isinstance(answer, Kill):
        return answer
    given: dict[str, Any] = {"kind": answer.check.kind, "check": answer.check.name}
    given |= {"where": answer.where} if answer.where else {}
    given |= {} if answer.depth is None else {"depth": answer.depth}
    return given | ({"also": _grouped(answer.also)} if answer.also else {})


def row_of(given: Mapping[str, Any]) -> Row:
    """A row that has this form."""
    answers = {engine: answer_of(answer) for engine, answer in given["answers"].items()}
    return Row(given["name"], given["of"], given["rule"], answers, given.get("equivalent", ""))


def answer_of(given: Any) -> Answer:
    """An answer that has this form."""
    if given == SURVIVES:
        return "survives"
    if "undecided" in given:
        return Undecided(given["undecided"])
    also = tuple(Check(kind, name) for kind, names in given.get("also", {}).items() for name in names)
    return Kill(Check(given["kind"], given["check"]), given.get("where", ""), given.get("depth"), also)
