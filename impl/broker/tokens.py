"""Tokens: who somebody is, signed with the broker's key. A token is a secret; nothing here prints one."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Final

import jwt

from impl.errors import BadDeployment

KEY_BYTES: Final = 32
"""The least that HS256 asks for."""

TOKEN: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
"""What a token looks like; anything else would break the header that it goes into, and might be quoted there."""


def new_key() -> bytes:
    """A fresh signing key."""
    return secrets.token_bytes(KEY_BYTES)


def read_key(path: Path) -> bytes:
    """The signing key in a file.

    Raises:
        BadDeployment: the file cannot be read, or is too short for a key.
    """
    key = _read(path)
    if len(key) < KEY_BYTES:
        raise BadDeployment(f"{path}: has {len(key)} bytes, and a signing key has {KEY_BYTES} at least")
    return key


def read_token(path: Path) -> str:
    """The token in a file.

    Raises:
        BadDeployment: the file cannot be read, or holds no token.
    """
    token = _read(path).decode("ascii", errors="replace").strip()
    if not TOKEN.fullmatch(token):
        raise BadDeployment(f"{path}: is no token; it should be three words of letters and digits with dots between")
    return token


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise BadDeployment(f"{path}: cannot be read ({problem.strerror})") from problem


def mint(key: bytes, role: str) -> str:
    """The token that makes its bearer this role."""
    return jwt.encode({"sub": role}, key, algorithm="HS256")


def write_secret(path: Path, secret: bytes | str) -> Path:
    """Writes a file that only its owner can read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_bytes(secret if isinstance(secret, bytes) else secret.encode())
    return path
