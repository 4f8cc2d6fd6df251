"""A specification of the user's own, in the place of the one beside these engines.

What is taken from elsewhere is the statement alone; the language that it is written in belongs to the engines. So a folder is a
copy of `spec`, of the same version, with what the user has changed.
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
    """Has everything from now on take the specification in this folder. Before anything is taken from another.

    Raises:
        Problem: there is none, or it is incomplete.
    """
    folder, ours = given.resolve(), _ours()
    if folder == ours:
        return
    assert PACKAGE not in sys.modules, "a specification is in use already"
    if not (folder / "__init__.py").is_file():
        raise Problem(f"--spec {given}: is no specification; name a copy of the folder {ours}", Exit.BAD_INPUT)
    for file in sorted(item.relative_to(ours) for item in ours.rglob("*.py")):
        if not (folder / file).is_file():
            raise Problem(
                f"{given / file}: is missing; copy all of {ours}, and change what is different", Exit.BAD_INPUT
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
    """The folder of the specification beside these engines."""
    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).resolve().parent


def place_of(problem: BaseException) -> tuple[str, int] | None:
    """File and line of the specification that is in use, if that is what cannot be loaded; none: something else is wrong."""
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
