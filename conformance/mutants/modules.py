"""The modules that a protocol's cores are made of; each comes after those that it builds on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

MODULES: Final[Mapping[str, Sequence[str]]] = {
    "on-demand": ("impl.dpm", "impl.ncm", "impl.aca"),
    "message-queue": (
        *("impl.channel.decision", "impl.channel.cache", "impl.channel.rules", "impl.channel.decisions"),
        *("impl.channel.dpm", "impl.channel.aca"),
    ),
}
"""By protocol."""
