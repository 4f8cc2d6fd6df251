"""Fixtures for all tests: the broker of the whole run comes from `tests/broker_fixture.py`."""

from __future__ import annotations

pytest_plugins = ["tests.broker_fixture"]
