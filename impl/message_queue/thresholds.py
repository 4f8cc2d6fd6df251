"""When a VPC counts as large and when as small: two limits with hysteresis, so that one port more or less changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from impl.errors import BadDeployment

THRESHOLD_MIN: Final = 5
"""The smallest threshold. A VPC one port below a threshold must not be small: 5 (X - 1) >= 4 X."""

PATIENCE_MAX: Final = 100
"""Subscribe requests in a row. With pauses that double up to their limit, more would mean an hour of requests."""


@dataclass(frozen=True)
class Thresholds:
    """The parameters by which DPM chooses a VPC's channel. All are positive integers; `admitted` checks an operator's choice."""

    many_ports: int = 1_000
    """A VPC with at least this number of ports is large (X). The number is the default of Alcor's controller."""
    many_in_a_group: int = 1_000
    """A VPC that has a security group with at least this number of ports is large (Y). The design document gives no number; this
    is X again."""
    patience: int = 3
    """How often in a row a host is asked to subscribe before DPM gives up."""

    def __post_init__(self) -> None:
        assert min(self.many_ports, self.many_in_a_group, self.patience) > 0, self

    @classmethod
    def admitted(cls, many_ports: int, many_in_a_group: int, patience: int) -> Thresholds:
        """The thresholds chosen by an operator.

        Raises:
            BadDeployment: a threshold leaves no room below it, or patience is out of range.
        """
        for name, value in (("many ports", many_ports), ("many in a group", many_in_a_group)):
            if value < THRESHOLD_MIN:
                raise BadDeployment(
                    f"{name}: {value} leaves no room between large and small (four fifths of it); "
                    f"choose {THRESHOLD_MIN} or more"
                )
        if not 1 <= patience <= PATIENCE_MAX:
            raise BadDeployment(f"patience: {patience} is no number of askings; choose 1 to {PATIENCE_MAX}")
        return cls(many_ports, many_in_a_group, patience)

    def is_large(self, ports: int, largest_group: int) -> bool:
        """Too many hosts to send to one by one."""
        return ports >= self.many_ports or largest_group >= self.many_in_a_group

    def is_small(self, ports: int, largest_group: int) -> bool:
        """Below four fifths of both thresholds."""
        return 5 * ports < 4 * self.many_ports and 5 * largest_group < 4 * self.many_in_a_group


NEVER_LARGE: Final = Thresholds(2**63 - 1, 2**63 - 1)
"""No VPC has this many ports, so none is ever given a topic."""
