"""`ondemand golden` says what it does and how long that takes, and answers a mistake with a run and the next command."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from conformance import configurations
from conformance.data import files
from conformance.documents import golden
from conformance.evidence import lassos, variants
from conformance.evidence.variants import refuted_by_exploration
from conformance.protocols import PROTOCOLS
from conformance.replay.lockstep import Divergence
from impl.cli.exits import Exit
from spec.on_demand.protocol import PROTOCOL
from tests.conformance.cli.test_commands import Command, Ended, ondemand

__all__ = ["ondemand"]


@pytest.fixture(autouse=True)
def unchanged() -> object:
    """A mistake leaves every generated file as it was."""
    before = {path: path.read_bytes() for path in files.SHIPPED.rglob("*") if path.is_file()}
    yield
    assert before == {path: path.read_bytes() for path in files.SHIPPED.rglob("*") if path.is_file()}


def sentence(ended: Ended, first: str) -> str:
    """The last line, of a command that says first what it is going to write, and ends with a mistake."""
    assert (ended.code, ended.out) == (Exit.VIOLATED, f"{first}\n")
    return ended.err.splitlines()[-1]


def test_it_says_what_it_writes_and_how_long_that_takes() -> None:
    every = golden.announcement(golden.PARTS, PROTOCOLS)
    names = "on-demand, small-networks, message-queue, slots, failover"
    assert every.startswith(
        f"Writing wire, counts, vectors, variants, lassos, witnesses, schema, docs of {names}: about "
    )
    assert every.endswith(" minutes")
    docs = golden.announcement(["docs"], [PROTOCOL])
    assert docs == "Writing docs of on-demand: some seconds"


def test_a_configuration_that_does_not_hold_is_shown_with_its_counterexample(
    ondemand: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (variant,) = (variant for variant in PROTOCOL.variants if variant.name == "pushes_to_all")
    found = refuted_by_exploration(variant, PROTOCOL, configurations.find("two-hosts", PROTOCOL))
    monkeypatch.setattr(golden, "explore", lambda *_: found)
    ended = ondemand("golden", "counts", "on_demand")
    assert sentence(ended, "Writing counts of on-demand: about a minute") == (
        "The counts of late-messages are not written: learns_only_on_demand is broken in it. "
        "To see it again, run `ondemand explore --config late-messages`."
    )
    assert "A shortest counterexample, 4 steps:" in ended.err


def test_counts_with_messages_that_may_not_be_forgotten_are_not_written(
    ondemand: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model.explore.explore.may_forget", lambda *_: False)
    before = configurations.path_of("two-instances", PROTOCOLS[-1]).read_text(encoding="utf-8")
    ended = ondemand("golden", "counts", "failover")
    said = sentence(ended, golden.announcement(["counts"], [PROTOCOLS[-1]]))
    assert "are not written: it is not proved of failover that spent messages can be forgotten" in said
    assert said.endswith("To see what is not proved, run `ondemand prove --protocol failover`.")
    assert configurations.path_of("two-instances", PROTOCOLS[-1]).read_text(encoding="utf-8") == before


def test_a_variant_that_nothing_notices_is_named(ondemand: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(variants, "violated_by", lambda *_: [])
    first = variants.breaking(PROTOCOLS[-1])[0].name
    ended = ondemand("golden", "variants", "failover")
    assert sentence(ended, golden.announcement(["variants"], [PROTOCOLS[-1]])) == (
        f"The counterexamples of variants of failover are not written: nothing notices {first}, every claim is still proved "
        f"with it; strengthen a promise, or correct the variant. To see it, run `ondemand prove --variant {first}`."
    )


def test_a_variant_that_does_nothing_new_is_shown_with_its_counterexample(
    ondemand: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "first_difference", lambda *_: None)
    first = variants.breaking(PROTOCOLS[-1])[0].name
    ended = ondemand("golden", "variants", "failover")
    said = sentence(ended, golden.announcement(["variants"], [PROTOCOLS[-1]]))
    assert said.startswith(
        "The counterexamples of variants of failover are not written: "
        f"the counterexample of {first} is a run of failover itself, which breaks "
    )
    steps = next(line.split()[3] for line in ended.err.splitlines() if line.startswith("A shortest counterexample, "))
    assert said.endswith(f" too. To see it, run `ondemand bounded --config two-instances --steps {steps}`.")


def test_a_variant_without_a_lasso_is_named(ondemand: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lassos, "live", lambda *_, **__: SimpleNamespace(outcomes=()))
    ended = ondemand("golden", "lassos", "failover")
    said = sentence(ended, golden.announcement(["lassos"], [PROTOCOLS[-1]]))
    assert said.startswith("The lassos of failover are not written: no configuration shows that ")
    assert Path("conformance/data/configurations/failover/live").as_posix() in said


@pytest.mark.parametrize(
    ("why", "said"),
    [
        (
            "no run reaches pair:ask:evict",
            "no run reaches pair:ask:evict. Correct the scenarios in conformance/data/seeds; to try their steps, run "
            "`ondemand step --protocol on-demand`.",
        ),
        (
            Divergence("run 7", 2, "store", "recorded", 1, 2, "it is older"),
            "the implementation diverges: run 7, step 2, store: recorded: expected 1, observed 2. To replay the existing "
            "vectors, run `ondemand replay --protocol on-demand`.",
        ),
    ],
)
def test_vectors_that_cannot_be_made_say_why(
    why: object, said: str, ondemand: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object, **__: object) -> None:
        raise AssertionError(why)

    monkeypatch.setattr(golden, "write_vectors", write)
    ended = ondemand("golden", "vectors", "on-demand")
    first = golden.announcement(["vectors"], [PROTOCOL])
    assert sentence(ended, first) == f"The vectors of on-demand are not written: {said}"
