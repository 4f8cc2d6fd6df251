"""Scenarios that random runs find too rarely: a pod removed while answers are in flight, two routes at once, a pause that lasts
while other routes come and go, and a request that greets (a correct agent asks only after it was greeted).

Each is a run in a named configuration: actions with their choices, in the order of their parameters. `KEPT` has complete vectors.
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

SCENARIOS: Final = (
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

KEPT: Final = (
    (
        "three-hosts",
        """
        place p1 h1; place p2 h2; restart h1; restart h2; restart h3; greet h1 1; greet h2 1; greet h3 1
        store p1 1; store p2 1; learn h1 1 p1 1; learn h2 1 p2 1; ask h1 r1 p1 p2; grant h1 1 r1 p1 p2 1
        release h1 1 r1 p1 p2 1; place p2 h3; store p2 2; learn h3 1 p2 2; learn h2 1 p2 2; learn h1 1 p2 2
        deliver h1 p1 p2; acknowledge h3 1 p2 2; acknowledge h2 1 p2 2; acknowledge h1 1 p2 2
        report_done p2 2; complete p2 2 done
        """,
        "A remote pod moves between two other hosts.",
    ),
    (
        "a-stranger",
        """
        place p1 h1; store p1 1; forge_request h2 1 r1 p1 p3; greet_by_request h2 1 r1 p1 p3
        refuse h2 1 r1 p1 p3 not_your_source
        """,
        "A request with a source of another host and a destination in another VPC: who asks comes first.",
    ),
    (
        "a-stranger",
        """
        place p1 h1; place p2 h2; store p1 1; store p2 1; forge_request h2 1 r1 p2 p1
        greet_by_request h2 1 r1 p2 p1; grant h2 1 r1 p2 p1 1; restart_ncm stored
        """,
        "A request that greets is granted at once, and NCM crashes behind that.",
    ),
    (
        "a-stranger",
        """
        place p2 h2; store p2 1; forge_hello h2 1; greet h2 1; forge_applied h2 1 p2 2
        """,
        "A version is confirmed before NCM has recorded it: that counts for nothing.",
    ),
    (
        "one-network",
        """
        place p1 h1; place p1 h2; resend p1 1; store p1 2; supersede p1 1; complete p1 1 superseded
        """,
        "An older version is sent again, with its own place.",
    ),
    (
        "one-network",
        """
        place p1 h1; store p1 1; restart h1; restart h1; restart h1; greet h1 3; learn h1 3 p1 1
        """,
        "An agent starts a third time before NCM has met it.",
    ),
)
"""Vectors as they are, each with its description: faulty cores passed without them, and no coverage goal requires them."""
