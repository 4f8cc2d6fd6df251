"""What NCM says again: DPM repeats a version while it has heard no outcome, which matters only where messages are lost."""

from __future__ import annotations

import pytest

from impl.messages import Config, Outcome, Pod, Report
from impl.on_demand.ncm import Ncm

POD = Pod("red", "10.0.0.1")


@pytest.fixture
def ncm() -> Ncm:
    """It has stored a version and reported it as done."""
    made = Ncm()
    made.configure(Config(POD, 1, "h1"))
    made.report_done(POD, 1)
    return made


def test_the_outcome_of_a_version_is_reported_again(ncm: Ncm) -> None:
    (again,) = ncm.configure(Config(POD, 1, "h1")).sends
    assert again.message == Report(POD, 1, Outcome.DONE)


def test_no_outcome_is_reported_of_another_place_under_the_same_version(ncm: Ncm) -> None:
    effects = ncm.configure(Config(POD, 1, "h2"))
    assert effects.sends == ()
    assert effects.events[0].fields["reason"] == "another place for a version that is stored"
