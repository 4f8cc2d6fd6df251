"""Large and small exclude each other, and one port more or less changes nothing."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from impl.errors import BadDeployment
from impl.message_queue.thresholds import THRESHOLD_MIN, Thresholds

thresholds = st.builds(Thresholds, st.integers(THRESHOLD_MIN, 200), st.integers(THRESHOLD_MIN, 200))
sizes = st.integers(0, 250)


@given(thresholds, sizes, sizes)
def test_large_and_small_are_what_the_design_says_in_exact_numbers(
    decision: Thresholds, ports: int, group: int
) -> None:
    x, y = decision.many_ports, decision.many_in_a_group
    assert decision.is_large(ports, group) == (ports >= x or group >= y)
    assert decision.is_small(ports, group) == (ports < Fraction(4, 5) * x and group < Fraction(4, 5) * y)
    assert not (decision.is_large(ports, group) and decision.is_small(ports, group))


@given(thresholds, sizes, sizes, st.sampled_from([(1, 0), (0, 1), (1, 1)]))
def test_one_port_flips_nothing(decision: Thresholds, ports: int, group: int, change: tuple[int, int]) -> None:
    before = (ports, group)
    after = (ports + change[0], group + change[1])
    for one, other in ((before, after), (after, before)):
        assert not (decision.is_large(*one) and decision.is_small(*other))


def test_below_the_least_threshold_one_port_would_flip_it() -> None:
    too_low = THRESHOLD_MIN - 1
    assert 5 * (too_low - 1) < 4 * too_low, "one port fewer than many would be few"
    assert 5 * (THRESHOLD_MIN - 1) >= 4 * THRESHOLD_MIN


@pytest.mark.parametrize("value", [4, 1, 0, -1, -1_000])
def test_thresholds_without_room_below_are_refused(value: int) -> None:
    with pytest.raises(BadDeployment, match=f"many ports: {value} leaves no room"):
        Thresholds.admitted(value, 5, 3)
    with pytest.raises(BadDeployment, match=f"many in a group: {value} leaves no room .* choose 5 or more"):
        Thresholds.admitted(5, value, 3)


@pytest.mark.parametrize("value", [0, -1, 101])
def test_patience_that_is_no_number_of_askings_is_refused(value: int) -> None:
    with pytest.raises(BadDeployment, match=f"patience: {value} is no number of askings"):
        Thresholds.admitted(5, 5, value)
