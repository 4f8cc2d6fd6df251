"""Deviations kept on purpose."""

from __future__ import annotations
