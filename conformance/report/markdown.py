"""Tables in Markdown, and the parts of documents that programs write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from impl.cli.exits import Exit, Problem


def table(heads: Sequence[str], rows: Iterable[Iterable[str]], rules: Sequence[str] = ()) -> str:
    """A table. `rules`: how each column is aligned; without it, all are on the left."""
    rule = f"|{'|'.join(rules or ['---'] * len(heads))}|\n"
    head, *others = (f"| {' | '.join(row)} |\n" for row in (heads, *rows))
    return "".join([head, rule, *others])


def part_of(document: Path, name: str) -> str:
    """The text of a document between the marks with this name.

    Raises:
        Problem: the document does not have exactly one such part.
    """
    text = document.read_text(encoding="utf-8")
    if not text.count(f"<!-- {name} -->\n") == text.count(f"<!-- /{name} -->") == 1:
        raise Problem(f"{document}: expected one part between <!-- {name} --> and <!-- /{name} -->", Exit.BAD_INPUT)
    return text.partition(f"<!-- {name} -->\n")[2].partition(f"<!-- /{name} -->")[0]


def put_part(document: Path, name: str, new: str) -> None:
    """Replaces the text between the marks.

    Raises:
        Problem: the document does not have exactly one such part.
    """
    mark, old = f"<!-- {name} -->\n", part_of(document, name)
    text = document.read_text(encoding="utf-8")
    document.write_text(text.replace(f"{mark}{old}", f"{mark}{new}"), encoding="utf-8")
