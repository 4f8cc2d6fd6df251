"""Alcor's own messages, in both numberings.

The field numbers of `NeighborConfiguration` changed in August 2022, so that the two versions do not understand each other: *pin* is
from before the change (December 2021), *head* from after it. A deployment chooses one; nothing on the wire identifies it. Both have
the package `alcor.schema`, which is part of the services' paths, so each lives in a separate descriptor pool.

The messages are declared in the folder pin/, and where they differ in head/. The descriptors beside them are generated: `ondemand
golden wire`.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from impl.errors import BadDeployment

FOLDER: Final = Path(__file__).parent
PACKAGE: Final = "alcor.schema"
PIN, HEAD = "pin", "head"
NUMBERINGS: Final = (PIN, HEAD)


class Schema:
    """The messages and enumerations of one numbering, each by its name: `schema.GoalStateV2()`, `schema.OperationType.DELETE`.

    They are typed as Any, since the two numberings are different classes with mostly the same fields.
    """

    def __init__(self, numbering: str) -> None:
        self.numbering = numbering
        self.pool = descriptor_pool.DescriptorPool()
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptors(numbering).read_bytes())
        for file in files.file:  # files that others import come first
            self.pool.Add(file)
        self.files = tuple(file.name for file in files.file)

    def __getattr__(self, name: str) -> Any:
        try:
            made: Any = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
        except KeyError:
            try:
                made = EnumTypeWrapper(self.pool.FindEnumTypeByName(f"{PACKAGE}.{name}"))
            except KeyError:
                raise AttributeError(f"{self.numbering}: there is no message or enumeration {PACKAGE}.{name}") from None
        setattr(self, name, made)
        return made

    @property
    def names_host_macs(self) -> bool:
        """Whether a neighbor contains the MAC address of its host."""
        return "host_mac_address" in self.NeighborConfiguration.DESCRIPTOR.fields_by_name


@cache
def schema(numbering: str) -> Schema:
    """The messages in this numbering.

    Raises:
        BadDeployment: there is no such numbering.
    """
    if numbering not in NUMBERINGS:
        raise BadDeployment(
            f"Unknown numbering {numbering!r} of Alcor's messages: choose among {', '.join(NUMBERINGS)}"
        )
    return Schema(numbering)


def descriptors(numbering: str) -> Path:
    """The generated file of a numbering."""
    return FOLDER / f"{numbering}.binpb"


def sources(numbering: str) -> tuple[list[Path], list[str]]:
    """The folders to search for files, in order of precedence; and the names of all files."""
    folders = [FOLDER / PIN] if numbering == PIN else [FOLDER / numbering, FOLDER / PIN]
    return folders, sorted(path.name for path in (FOLDER / PIN).glob("*.proto"))
