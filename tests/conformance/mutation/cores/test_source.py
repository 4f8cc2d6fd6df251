"""Mutants by rule: what each rule makes of a few lines, and that every mutant of the cores is a change of one place."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from types import ModuleType

import pytest

from conformance.mutation.cores.loading import cores_with, line_of, source
from conformance.mutation.cores.modules import MODULES
from conformance.mutation.cores.source import Source
from impl.on_demand.ncm import Ncm

ALL = [module for modules in MODULES.values() for module in modules]


def changed(text: str) -> set[tuple[str, str, str]]:
    """Rule, what was there, and what is there now, of every mutant of a few lines."""
    return {(mutant.rule, mutant.was, mutant.now) for mutant in Source("few.lines", dedent(text)).mutants}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def f(a, b):\n    return a and b", ("drop a conjunct", "a", "")),
        ("def f(a, b):\n    return a or b", ("drop a disjunct", "b", "")),
        ("def f(a):\n    if a == 2:\n        return 3", ("negate a condition", "a == 2", "a != 2")),
        ("def f(a):\n    if a:\n        raise KeyError", ("drop a condition", "if a:", "")),
        ("def f(a):\n    return [b for b in a if b]", ("drop a condition", "b", "")),
        ("def f(a, b):\n    return a < b", ("another comparison", "a < b", "a <= b")),
        ("def f(a, b):\n    return a < b", ("another comparison", "a < b", "a > b")),
        ("def f(host, vpc):\n    g(host, vpc)", ("swap two arguments", "g(host, vpc)", "g(vpc, host)")),
        ("def f(m):\n    return m.source", ("another field", "m.source", "m.destination")),
        ("def f():\n    return True", ("another constant", "True", "False")),
        ("def f():\n    return 2", ("another constant", "2", "3")),
        ("def f():\n    return Outcome.DONE", ("another member", "Outcome.DONE", "Outcome.SUPERSEDED")),
        ("def f(a):\n    return max(a)", ("older for newer", "max(a)", "min(a)")),
        ("def f(a):\n    return a[-1]", ("older for newer", "a[-1]", "a[0]")),
        ("def f(a):\n    return all(a)", ("some for all", "all(a)", "any(a)")),
        ("def f(self):\n    self.a.add(1)", ("drop a statement", "self.a.add(1)", "")),
        ("def f(self):\n    self.a = 1", ("drop a statement", "self.a = 1", "")),
        ("def f(a):\n    return Effects(sends=(a, b))", ("drop a send", "(a, b)", "(b,)")),
        ("def f(a, b):\n    return Effects(a, b)", ("drop a record", "a", "None")),
        ("def f(a, b):\n    return joined(a, b)", ("drop an operand", "joined(a, b)", "b")),
        ("def f(a):\n    match a:\n        case 1 | 2:\n            return a", ("drop a case", "1", "")),
        ("ENDS = {Outcome.DONE, Outcome.FAILED}", ("drop an element", "Outcome.DONE", "")),
    ],
    ids=lambda item: item if isinstance(item, str) else item[0],
)
def test_a_rule_changes_what_it_is_about(text: str, expected: tuple[str, str, str]) -> None:
    assert expected in changed(text)


def test_what_is_for_us_is_left_alone() -> None:
    text = """
        def f(self, a: int | None) -> None:
            '''A sentence.'''
            assert a and self.b < 2
            raise ValueError(f"{a and self.b}")

        def observe(self):
            return self.a and self.b
    """
    assert changed(text) == set()


def test_a_loop_that_may_not_end_is_refused() -> None:
    with pytest.raises(AssertionError, match="line 2: a mutant of this loop may not end"):
        Source("few.lines", "def f(a):\n    while a:\n        a -= 1")


@pytest.mark.parametrize("module", ALL)
def test_names_are_unique_and_every_mutant_compiles(module: str) -> None:
    mutants = source(module).mutants
    assert len({mutant.name for mutant in mutants}) == len(mutants) > 20
    original = source(module).compiled()
    for number in range(0, len(mutants), 10):
        assert source(module).compiled(number) != original
    assert source(module).compiled() == original  # nothing of a change is left behind


def test_a_mutant_stands_on_the_line_of_its_function() -> None:
    found = line_of("on_demand.ncm.Ncm._in_one_vpc", "on-demand")
    assert found is not None
    path = Path(found.file)
    assert path.name == "ncm.py"
    assert "def _in_one_vpc(" in path.read_text(encoding="utf-8").splitlines()[found.line - 1]
    assert line_of("on_demand.ncm.Ncm.nothing_of_this_name", "on-demand") is None


def test_a_changed_module_reaches_what_builds_on_it() -> None:
    module = "impl.message_queue.cache"
    original, changed_cores = (
        cores_with("message-queue", name, source(name).compiled()) for name in ("impl.on_demand.dpm", module)
    )
    assert original.ncm is changed_cores.ncm is Ncm
    core = changed_cores.message_queue_dpm
    assert isinstance(core, object)
    assert not isinstance(core, ModuleType)


def test_a_module_that_cannot_be_executed_says_so() -> None:
    with pytest.raises(ZeroDivisionError):
        cores_with("on-demand", "impl.on_demand.ncm", compile("1 / 0", "impl/on_demand/ncm.py", "exec"))
