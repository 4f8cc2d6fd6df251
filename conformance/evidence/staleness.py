"""Generated files that do not belong to the statement in use: the sentence that says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from conformance.protocols import again, base
from model.language import Protocol

Part = Literal["vectors", "variants", "lassos", "witnesses"]
"""What can be stale, under the name that `ondemand golden` has for it."""

_NAMES: Final[dict[Part, str]] = {
    "vectors": "vectors",
    "variants": "counterexamples of variants",
    "lassos": "lassos",
    "witnesses": "witnesses",
}


def stale(parts: Sequence[Part], protocol: Protocol, why: str) -> str:
    """The sentence for stale files, with the command that writes them again."""
    name = base(protocol).name
    what = [_NAMES[part] for part in parts]
    listed = f"{', '.join(what[:-1])} and {what[-1]}" if len(what) > 1 else what[0]
    command = again(f"golden {' '.join(parts)} {name}")
    return f"The {listed} of {name} are stale: {why}. Run `{command}`."


def earlier(problem: object) -> str:
    """Why files are stale that cannot be read as runs of the statement; `problem` says what is wrong with the first one."""
    return f"they are runs of an earlier statement ({problem})"
