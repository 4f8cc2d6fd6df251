"""Tokens: a client's identity, signed with the broker's key. A token is a secret; nothing here prints one."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Final

import jwt

from impl.errors import BadDeployment

KEY_BYTES: Final = 32
"""The minimum for HS256."""

TOKEN: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
"""The form of a token; anything else would break the header that carries it, and might be quoted in an error."""


def new_key() -> bytes:
    """A new signing key."""
    return secrets.token_bytes(KEY_BYTES)


def read_key(path: Path) -> bytes:
    """The signing key in a file.

    Raises:
        BadDeployment: the file cannot be read, or is too short for a key.
    """
    key = _read(path)
    if len(key) < KEY_BYTES:
        raise BadDeployment(f"{path}: has {len(key)} bytes; a signing key needs at least {KEY_BYTES}")
    return key


def read_token(path: Path) -> str:
    """The token in a file.

    Raises:
        BadDeployment: the file cannot be read, or holds no token.
    """
    token = _read(path).decode("ascii", errors="replace").strip()
    if not TOKEN.fullmatch(token):
        raise BadDeployment(
            f"{path}: does not hold a token; expected three groups of letters and digits separated by dots"
        )
    return token


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BadDeployment(f"{path}: cannot be read ({problem.strerror})") from problem


def mint(key: bytes, role: str) -> str:
    """A token with which its bearer acts as this role."""
    return jwt.encode({"sub": role}, key, algorithm="HS256")


def write_secret(path: Path, secret: bytes | str) -> Path:
    """Writes a file that only its owner can read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(secret if isinstance(secret, bytes) else secret.encode())
    return path
