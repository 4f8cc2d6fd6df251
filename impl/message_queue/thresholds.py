"""When a VPC is large, and when it is small: two questions with room between them, so that one port more or less flips nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from impl.errors import BadDeployment

THRESHOLD_MIN: Final = 5
"""A VPC one port below a threshold must not be small: 5 (X - 1) >= 4 X."""

PATIENCE_MAX: Final = 100
"""Askings in a row; with pauses that double up to their limit, more would be an hour of asking."""


@dataclass(frozen=True)
class Thresholds:
    """What DPM decides a VPC's channel by. All are positive whole numbers; what an operator may choose is `admitted`."""

    many_ports: int = 1_000
    """A VPC with so many ports is large (X). The number is the one that Alcor's controller is shipped with."""
    many_in_a_group: int = 1_000
    """So is one with a security group of so many ports (Y). The design document gives no number; this is X again."""
    patience: int = 3
    """How often in a row a host is asked to subscribe before it is given up."""

    def __post_init__(self) -> None:
        assert min(self.many_ports, self.many_in_a_group, self.patience) > 0, self

    @classmethod
    def admitted(cls, many_ports: int, many_in_a_group: int, patience: int) -> Thresholds:
        """What an operator has chosen.

        Raises:
            BadDeployment: a threshold has no room below it, or patience is no number of askings.
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
        """Too many hosts to be told one by one."""
        return ports >= self.many_ports or largest_group >= self.many_in_a_group

    def is_small(self, ports: int, largest_group: int) -> bool:
        """Below four fifths of both thresholds."""
        return 5 * ports < 4 * self.many_ports and 5 * largest_group < 4 * self.many_in_a_group


NEVER_LARGE: Final = Thresholds(2**63 - 1, 2**63 - 1)
"""No VPC has so many ports, so none is ever given a topic."""
