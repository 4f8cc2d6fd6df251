"""File names as the readers of a build know them: relative to their repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import spec
from model.language import Source

STATEMENT: Final = Path(next(iter(spec.__path__))).resolve()
"""The folder of the specification that is in use."""


def repository() -> Path:
    """The repository of the build: `$GITHUB_WORKSPACE`, or the present folder."""
    return Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve()


def in_repository(source: Source) -> str | None:
    """The file's path in the repository; None if it belongs to another one, or to an installed package."""
    file, root = Path(source.file).resolve(), repository()
    for folder in file.parents:
        if folder == root:
            return file.relative_to(root).as_posix()
        if (folder / ".git").exists() or folder.name == "site-packages":
            return None
    return None


def shown(source: Source) -> str:
    """The file's path in the repository, or from its `spec` on, if it belongs to another."""
    inside, file = in_repository(source), Path(source.file).resolve()
    if inside is not None:
        return inside
    within = file.is_relative_to(STATEMENT)
    return file.relative_to(STATEMENT.parent).as_posix() if within else file.name
