"""The user's own specification, in place of the one that comes with the engines.

Only the statement is the user's; its language belongs to the engines. So the folder is a copy of `spec`, of the same version, with
the user's changes.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from typing import Final

from impl.cli.exits import Exit, Problem

PACKAGE: Final = "spec"


def use(given: Path) -> None:
    """Makes every later import take the specification in this folder. No specification may have been imported before.

    Raises:
        Problem: the folder has no specification, or an incomplete one.
    """
    folder, ours = given.resolve(), _ours()
    if folder == ours:
        return
    assert PACKAGE not in sys.modules, "a specification is in use already"
    if not (folder / "__init__.py").is_file():
        raise Problem(f"--spec {given}: not a specification; name a copy of the folder {ours}", Exit.BAD_INPUT)
    for file in sorted(item.relative_to(ours) for item in ours.rglob("*.py")):
        if not (folder / file).is_file():
            raise Problem(
                f"{given / file} is missing; copy all of {ours} again, and make your changes in the copy",
                Exit.BAD_INPUT,
            )
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def _ours() -> Path:
    """The folder of the specification that comes with the engines."""
    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).resolve().parent


def place_of(problem: BaseException) -> tuple[str, int] | None:
    """The file and line of the specification in use that cannot be loaded; None if the problem is elsewhere."""
    folder = Path(str(getattr(sys.modules.get(PACKAGE), "__file__", ""))).resolve().parent
    if isinstance(problem, SyntaxError) and problem.filename is not None:
        places = [(problem.filename, problem.lineno or 1)]
    elif isinstance(problem, ImportError) and problem.path is not None:
        places = [(problem.path, 1)]
    else:
        places = []
    places += [(frame.filename, frame.lineno or 1) for frame in reversed(traceback.extract_tb(problem.__traceback__))]
    for file, line in places:
        path = Path(file).resolve()
        if path.is_relative_to(folder):
            return str(path), line
    return None
