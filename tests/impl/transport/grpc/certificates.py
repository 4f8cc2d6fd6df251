"""Certificates for tests, made by plain arithmetic: no library of the project makes them, and no tool for it is available
everywhere.

X.509 with ECDSA on P-256, only as much of each as mutual TLS needs. The keys protect nothing.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FIELD: Final = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
BASE: Final = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
"""The curve P-256: its field, the order of its base point, and the base point."""

Point = tuple[int, int] | None


def add(each_point: Point, other: Point) -> Point:
    """The sum of two points; None is the point at infinity."""
    if each_point is None or other is None:
        return other if each_point is None else each_point
    (x1, y1), (x2, y2) = each_point, other
    if x1 == x2 and (y1 + y2) % FIELD == 0:
        return None
    slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, FIELD) if each_point == other else (y2 - y1) * pow(x2 - x1, -1, FIELD)
    x3 = (slope * slope - x1 - x2) % FIELD
    return x3, (slope * (x1 - x3) - y1) % FIELD


def multiply(factor: int, point: Point) -> tuple[int, int]:
    """A multiple of a point; never infinity for the factors used here."""
    total: Point = None
    while factor:
        if factor & 1:
            total = add(total, point)
        point, factor = add(point, point), factor >> 1
    assert total is not None
    return total


def der(tag: int, *parts: bytes) -> bytes:
    """A value of the Distinguished Encoding Rules."""
    content = b"".join(parts)
    size = len(content)
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    length = bytes([size]) if size < 128 else bytes([0x80 + len(octets)]) + octets
    return bytes([tag]) + length + content


def number(value: int) -> bytes:
    """An INTEGER."""
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE."""
    return der(0x30, *parts)


def bits(content: bytes) -> bytes:
    """A BIT STRING of whole octets."""
    return der(3, b"\0", content)


EC_KEY = der(6, bytes.fromhex("2a8648ce3d0201"))
P256 = der(6, bytes.fromhex("2a8648ce3d030107"))
ECDSA_SHA256 = sequence(der(6, bytes.fromhex("2a8648ce3d040302")))
COMMON_NAME = der(6, bytes.fromhex("550403"))
BASIC_CONSTRAINTS = der(6, bytes.fromhex("551d13"))
ALTERNATIVE_NAME = der(6, bytes.fromhex("551d11"))
VALIDITY = sequence(der(0x17, b"200101000000Z"), der(0x17, b"491231235959Z"))


def name(text: str) -> bytes:
    """A Name with a common name, and nothing else."""
    return sequence(der(0x31, sequence(COMMON_NAME, der(0x0C, text.encode()))))


def pem(label: str, content: bytes) -> str:
    """A PEM block."""
    text = base64.encodebytes(content).decode()
    return f"-----BEGIN {label}-----\n{text}-----END {label}-----\n"


@dataclass(frozen=True)
class Files:
    """The files for mutual TLS."""

    certificate: Path
    key: Path
    authority: Path


class Authority:
    """Issues certificates, into files of a folder."""

    def __init__(self, folder: Path, title: str = "authority") -> None:
        self._folder, self._title = folder, title
        self._key = secrets.randbelow(ORDER - 1) + 1
        self.path = folder / f"{title}.crt"
        self.path.write_text(self._certificate(title, self._key, sequence(der(1, b"\xff")), BASIC_CONSTRAINTS))

    def issue(self, subject: str, *alternatives: str) -> Files:
        """A certificate with this common name, and these alternative names."""
        key = secrets.randbelow(ORDER - 1) + 1
        names = sequence(*(der(0x82, alternative.encode()) for alternative in alternatives))
        text = self._certificate(subject, key, names, ALTERNATIVE_NAME if alternatives else None)
        stem = self._folder / f"{self._title}-{subject or 'nobody'}-{'-'.join(alternatives)}"
        files = Files(Path(f"{stem}.crt"), Path(f"{stem}.key"), self.path)
        files.certificate.write_text(text)
        private = sequence(number(1), der(4, key.to_bytes(32, "big")), der(0xA0, P256), der(0xA1, bits(point(key))))
        files.key.write_text(pem("EC PRIVATE KEY", private))
        return files

    def _certificate(self, subject: str, key: int, extension: bytes, kind: bytes | None) -> str:
        extensions = [der(0xA3, sequence(sequence(kind, der(4, extension))))] if kind else []
        body = sequence(
            der(0xA0, number(2)),
            number(secrets.randbits(64)),
            ECDSA_SHA256,
            name(self._title),
            VALIDITY,
            name(subject),
            sequence(sequence(EC_KEY, P256), bits(point(key))),
            *extensions,
        )
        return pem("CERTIFICATE", sequence(body, ECDSA_SHA256, bits(self._signature(body))))

    def _signature(self, data: bytes) -> bytes:
        digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
        once = secrets.randbelow(ORDER - 1) + 1
        r = multiply(once, BASE)[0] % ORDER
        s = pow(once, -1, ORDER) * (digest + r * self._key) % ORDER
        return sequence(number(r), number(s))


def point(key: int) -> bytes:
    """The public key, uncompressed."""
    x, y = multiply(key, BASE)
    return b"\4" + x.to_bytes(32, "big") + y.to_bytes(32, "big")
