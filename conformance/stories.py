"""Beginnings of vectors that chance finds too rarely: what is removed while answers are under way, two routes at once, a pause that
lasts while other routes come and go, and a request that greets (an honest agent asks only after it was greeted).

Each is a run of a world: actions with their choices, in the order of their parameters.
"""

from __future__ import annotations

from typing import Final

_ASKED: Final = """
    place p1 h1; place p2 h2; place p3 h2; restart h1; greet h1 1
    store p1 1; store p2 1; store p3 1; learn h1 1 p1 1
    ask h1 r1 p1 p2; ask h1 r2 p1 p3; ask h1 r3 p1 p2
    grant h1 1 r1 p1 p2 1; grant h1 1 r2 p1 p3 1; grant h1 1 r3 p1 p2 1
"""

_PAUSED: Final = """
    place p1 h1; place p3 h2; restart h1; greet h1 1; store p1 1; store p3 1; learn h1 1 p1 1
    ask h1 r1 p1 p2; refuse h1 1 r1 p1 p2 unknown; drop_as_refused h1 1 r1 p1 p2 unknown
"""

STORIES: Final = (
    (
        "two-sources",
        """
        place p1 h1; place p2 h1; place p3 h2; restart h1; greet h1 1
        store p1 1; store p2 1; store p3 1; learn h1 1 p1 1; learn h1 1 p2 1
        ask h1 r1 p1 p3; ask h1 r2 p2 p3; grant h1 1 r1 p1 p3 1; grant h1 1 r2 p2 p3 1
        remove p3; store p3 2; learn h1 1 p3 2; ask h1 r3 p1 p3
        drop_as_gone h1 1 r1 p1 p3 1; drop_as_gone h1 1 r2 p2 p3 1; refuse h1 1 r3 p1 p3 gone
        drop_as_refused h1 1 r3 p1 p3 gone; drop h1 p1 p3; resume h1 p1 p3
        """,
    ),
    (
        "two-sources",
        """
        place p1 h1; place p3 h2; restart h1; greet h1 1; store p1 1; store p3 1; learn h1 1 p1 1
        ask h1 r1 p1 p2; ask h1 r2 p1 p3; refuse h1 1 r1 p1 p2 unknown; grant h1 1 r2 p1 p3 1
        remove p3; store p3 2; learn h1 1 p3 2; drop_as_refused h1 1 r1 p1 p2 unknown
        drop_as_gone h1 1 r2 p1 p3 1; drop h1 p1 p2
        """,
    ),
    (
        "two-sources",
        f"""
        {_ASKED}
        remove p3; store p3 2; learn h1 1 p3 2; time_out h1 r1 p1 p2; learn_late h1 1 r1 p2 1
        drop_as_gone h1 1 r2 p1 p3 1
        """,
    ),
    (
        "two-sources",
        f"""
        {_ASKED}
        remove p3; store p3 2; learn h1 1 p3 2; release h1 1 r1 p1 p2 1; drop_as_gone h1 1 r2 p1 p3 1
        """,
    ),
    (
        "two-sources",
        f"""
        {_ASKED}
        release h1 1 r1 p1 p2 1; release h1 1 r2 p1 p3 1; evict h1 p2; evict h1 p3
        """,
    ),
    (
        "a-stranger",
        """
        place p2 h2; store p2 1; forge_request h2 1 r1 p2 p1; greet_by_request h2 1 r1 p2 p1; remind h2 p2
        """,
    ),
    (
        "two-sources",
        f"""
        {_PAUSED}
        ask h1 r2 p1 p3; grant h1 1 r2 p1 p3 1; release h1 1 r2 p1 p3 1; drop h1 p1 p2
        evict h1 p3; drop h1 p1 p2; place p3 h1; store p3 2; learn h1 1 p3 2; drop h1 p1 p2
        """,
    ),
    (
        "two-sources",
        f"""
        {_PAUSED}
        ask h1 r2 p1 p3; grant h1 1 r2 p1 p3 1; time_out h1 r2 p1 p3; drop h1 p1 p2
        learn_late h1 1 r2 p3 1; drop h1 p1 p2
        """,
    ),
    (
        "two-sources",
        """
        place p1 h1; restart h1; greet h1 1; store p1 1; learn h1 1 p1 1
        ask h1 r1 p1 p2; refuse h1 1 r1 p1 p2 unknown; drop_as_refused h1 1 r1 p1 p2 unknown
        ask h1 r2 p1 p3; refuse h1 1 r2 p1 p3 unknown; drop_as_refused h1 1 r2 p1 p3 unknown
        resume h1 p1 p3; drop h1 p1 p2
        """,
    ),
    (
        "two-sources",
        """
        place p1 h1; place p3 h2; restart h1; greet h1 1; store p1 1; store p3 1; learn h1 1 p1 1
        ask h1 r1 p1 p3; ask h1 r2 p1 p2; grant h1 1 r1 p1 p3 1; remove p3; store p3 2; learn h1 1 p3 2
        time_out h1 r2 p1 p2; drop_as_gone h1 1 r1 p1 p3 1
        """,
    ),
)
