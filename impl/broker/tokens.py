"""Tokens: who somebody is, signed with the broker's key. A token is a secret; nothing here prints one."""

from __future__ import annotations

import secrets
from pathlib import Path

import jwt

from impl.errors import BadDeployment

KEY_BYTES = 32
"""The least that HS256 asks for."""


def new_key() -> bytes:
    """A fresh signing key."""
    return secrets.token_bytes(KEY_BYTES)


def mint(key: bytes, role: str) -> str:
    """The token that makes its bearer this role."""
    return jwt.encode({"sub": role}, key, algorithm="HS256")


def role_of(token: str, key: bytes) -> str:
    """The role that a token stands for.

    Raises:
        BadDeployment: the token was not signed with the key.
    """
    try:
        return str(jwt.decode(token, key, algorithms=["HS256"])["sub"])
    except (jwt.InvalidTokenError, KeyError) as problem:
        raise BadDeployment(
            "The token was not signed with this key; mint it anew with `ondemand host add`"
        ) from problem


def write_secret(path: Path, secret: bytes | str) -> Path:
    """Writes a file that only its owner can read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(secret if isinstance(secret, bytes) else secret.encode())
    return path
