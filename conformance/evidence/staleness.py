"""Generated files that do not belong to the statement in use: how that is noticed, and the sentence that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from conformance.data.files import kept
from conformance.protocols import PROTOCOLS, again, base
from impl.cli.exits import Exit, Problem
from model.bad_input import BadInput
from model.language import Protocol

Part = Literal["vectors", "variants", "lassos"]
"""What can be stale, under the name that `ondemand golden` has for it."""

_NAMES: Final[dict[Part, str]] = {"vectors": "vectors", "variants": "counterexamples of variants", "lassos": "lassos"}

EARLIER: Final = "they are runs of an earlier statement"


def stale(parts: Sequence[Part], protocol: Protocol, why: str) -> str:
    """The sentence for stale files, with the command that writes them again."""
    name = base(protocol).name
    what = [_NAMES[part] for part in parts]
    listed = f"{', '.join(what[:-1])} and {what[-1]}" if len(what) > 1 else what[0]
    command = again(f"golden {' '.join(parts)} {name}")
    return f"The {listed} of {name} are stale: {why}. Run `{command}`."


def earlier(problem: object) -> str:
    """Why files are stale that cannot be read as runs of the statement; `problem` says what is wrong with the first one."""
    return f"{EARLIER} ({problem})"


@contextmanager
def reported_as_stale() -> Iterator[None]:
    """Replaces the error about a run that is malformed by the sentence for stale files, if there are any.

    Raises:
        Problem: files are stale.
        BadInput: a file is malformed, and none is stale.
    """
    try:
        yield
    except BadInput as problem:
        for protocol in PROTOCOLS:
            vectors, lassos = kept("vectors", protocol.name), kept("lassos", protocol.name)
            parts = stale_parts(protocol, {"vectors": vectors, "variants": vectors / "negative", "lassos": lassos})
            if parts:
                raise Problem(stale(parts, protocol, earlier(problem)), Exit.BAD_INPUT) from problem
        raise


def stale_parts(protocol: Protocol, folders: Mapping[Part, Path]) -> list[Part]:
    """The parts whose folder has a run of an earlier statement than this stated protocol; judged by the digests in the files."""
    return [part for part, folder in folders.items() if not _is_current(part, folder, protocol)]


def _is_current(part: Part, folder: Path, protocol: Protocol) -> bool:
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in folder.glob("*.itf.json")]
    if part == "vectors":
        return all(f'"digest": "{protocol.digest()}"' in text for text in texts)
    digests = [protocol.with_variant(variant).digest() for variant in protocol.variants] if texts else []
    return all(any(digest in text for digest in digests) for text in texts)
