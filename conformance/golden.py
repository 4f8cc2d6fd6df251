"""Generated files, made anew: vectors, the table of kills with its negative vectors, and the reference document.

`python -m conformance.golden` writes all of them, `python -m conformance.golden docs` only some. Read the difference before it is
committed.
"""

from __future__ import annotations

import sys

from conformance.docs import write_document
from conformance.generate import write_vectors
from conformance.kills import write_kills
from conformance.report import progress_bar
from spec.on_demand import PROTOCOL

PARTS = ("vectors", "kills", "docs")


def main(wanted: list[str]) -> int:
    """Writes the parts that are named, or all."""
    unknown = [one for one in wanted if one not in PARTS]
    if unknown:
        sys.stderr.write(f"{unknown[0]}: no such part; choose among {', '.join(PARTS)}\n")
        return 2
    chosen = wanted or list(PARTS)
    if "vectors" in chosen:
        with progress_bar("Vectors") as progress:
            write_vectors(PROTOCOL, progress=lambda done, total: progress(done, f"of {total} runs"))
    if "kills" in chosen:
        with progress_bar("Variants", len(PROTOCOL.variants)) as progress:
            names: list[str] = []

            def tell(name: str) -> None:
                names.append(name)
                progress(len(names) - 1, name)

            write_kills(PROTOCOL, tell)
    if "docs" in chosen:
        write_document(PROTOCOL)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
