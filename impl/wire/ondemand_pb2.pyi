from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_NOT_YOUR_SOURCE: _ClassVar[Reason]
    REASON_OTHER_VPC: _ClassVar[Reason]
    REASON_UNKNOWN: _ClassVar[Reason]
    REASON_GONE: _ClassVar[Reason]
    REASON_NOT_YOUR_CHANNEL: _ClassVar[Reason]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_DONE: _ClassVar[Outcome]
    OUTCOME_SUPERSEDED: _ClassVar[Outcome]
    OUTCOME_FAILED: _ClassVar[Outcome]
REASON_UNSPECIFIED: Reason
REASON_NOT_YOUR_SOURCE: Reason
REASON_OTHER_VPC: Reason
REASON_UNKNOWN: Reason
REASON_GONE: Reason
REASON_NOT_YOUR_CHANNEL: Reason
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_DONE: Outcome
OUTCOME_SUPERSEDED: Outcome
OUTCOME_FAILED: Outcome

class Pod(_message.Message):
    __slots__ = ("vpc", "address")
    VPC_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    vpc: str
    address: str
    def __init__(self, vpc: _Optional[str] = ..., address: _Optional[str] = ...) -> None: ...

class Place(_message.Message):
    __slots__ = ("host", "gone")
    HOST_FIELD_NUMBER: _ClassVar[int]
    GONE_FIELD_NUMBER: _ClassVar[int]
    host: str
    gone: bool
    def __init__(self, host: _Optional[str] = ..., gone: _Optional[bool] = ...) -> None: ...

class Config(_message.Message):
    __slots__ = ("pod", "version", "place")
    POD_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    pod: Pod
    version: int
    place: Place
    def __init__(self, pod: _Optional[_Union[Pod, _Mapping]] = ..., version: _Optional[int] = ..., place: _Optional[_Union[Place, _Mapping]] = ...) -> None: ...

class Report(_message.Message):
    __slots__ = ("pod", "version", "outcome")
    POD_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    pod: Pod
    version: int
    outcome: Outcome
    def __init__(self, pod: _Optional[_Union[Pod, _Mapping]] = ..., version: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ...) -> None: ...

class Registered(_message.Message):
    __slots__ = ("host", "registration")
    HOST_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    host: str
    registration: int
    def __init__(self, host: _Optional[str] = ..., registration: _Optional[int] = ...) -> None: ...

class Deregistered(_message.Message):
    __slots__ = ("host", "registration")
    HOST_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_FIELD_NUMBER: _ClassVar[int]
    host: str
    registration: int
    def __init__(self, host: _Optional[str] = ..., registration: _Optional[int] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("host", "epoch")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("host", "epoch", "request", "source", "destination")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    request: int
    source: Pod
    destination: Pod
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., request: _Optional[int] = ..., source: _Optional[_Union[Pod, _Mapping]] = ..., destination: _Optional[_Union[Pod, _Mapping]] = ...) -> None: ...

class Applied(_message.Message):
    __slots__ = ("host", "epoch", "pod", "version")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    pod: Pod
    version: int
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., pod: _Optional[_Union[Pod, _Mapping]] = ..., version: _Optional[int] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("host", "epoch", "pod", "version", "place")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    pod: Pod
    version: int
    place: Place
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., pod: _Optional[_Union[Pod, _Mapping]] = ..., version: _Optional[int] = ..., place: _Optional[_Union[Place, _Mapping]] = ...) -> None: ...

class Granted(_message.Message):
    __slots__ = ("host", "epoch", "request", "pod", "version", "place")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    POD_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    request: int
    pod: Pod
    version: int
    place: str
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., request: _Optional[int] = ..., pod: _Optional[_Union[Pod, _Mapping]] = ..., version: _Optional[int] = ..., place: _Optional[str] = ...) -> None: ...

class Refused(_message.Message):
    __slots__ = ("host", "epoch", "request", "reason")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    request: int
    reason: Reason
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., request: _Optional[int] = ..., reason: _Optional[_Union[Reason, str]] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ("config", "report", "registered", "deregistered", "hello", "request", "applied", "route", "granted", "refused")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    REPORT_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_FIELD_NUMBER: _ClassVar[int]
    DEREGISTERED_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    config: Config
    report: Report
    registered: Registered
    deregistered: Deregistered
    hello: Hello
    request: Request
    applied: Applied
    route: Route
    granted: Granted
    refused: Refused
    def __init__(self, config: _Optional[_Union[Config, _Mapping]] = ..., report: _Optional[_Union[Report, _Mapping]] = ..., registered: _Optional[_Union[Registered, _Mapping]] = ..., deregistered: _Optional[_Union[Deregistered, _Mapping]] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., request: _Optional[_Union[Request, _Mapping]] = ..., applied: _Optional[_Union[Applied, _Mapping]] = ..., route: _Optional[_Union[Route, _Mapping]] = ..., granted: _Optional[_Union[Granted, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ...) -> None: ...
