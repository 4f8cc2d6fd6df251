"""An explanation as an HTML page: one file that loads nothing and runs no script.

All text of a log is escaped: logs are not trusted.
"""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from conformance.logs.explanation import Explanation
from conformance.logs.wording import shown
from conformance.report.diagram import as_svg
from impl.events.line import encoded
from model.explaining.nearest import Nearest
from model.explaining.reasons import call

_MARKS: Final = {True: ("✓", "true"), False: ("✗", "false"), None: ("?", "dim")}


def as_page(explanation: Explanation) -> str:
    """The page."""
    record = explanation.record
    return _template().render(
        explanation=explanation,
        place=f"{record.file}, line {record.number}",
        marks=_MARKS,
        picture=as_svg(explanation.diagram),
        line=json.loads(encoded(record.line)),
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["shown"] = _shown
    environment.filters["call"] = _call
    environment.filters["compact"] = partial(json.dumps, ensure_ascii=False)
    return environment.get_template("explanation.html.jinja")


def _shown(value: Any) -> str:
    return "nothing" if value is None else shown(value)


def _call(nearest: Nearest) -> str:
    return call(nearest.action, tuple(value for _, value in nearest.choices))
