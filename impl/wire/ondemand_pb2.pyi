from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
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

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_SUBNET: _ClassVar[Kind]
    KIND_GROUP_RULES: _ClassVar[Kind]
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
KIND_UNSPECIFIED: Kind
KIND_SUBNET: Kind
KIND_GROUP_RULES: Kind

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

class Part(_message.Message):
    __slots__ = ("kind", "data")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    kind: Kind
    data: bytes
    def __init__(self, kind: _Optional[_Union[Kind, str]] = ..., data: _Optional[bytes] = ...) -> None: ...

class Push(_message.Message):
    __slots__ = ("host", "epoch", "vpc", "revision", "parts")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    vpc: str
    revision: int
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., vpc: _Optional[str] = ..., revision: _Optional[int] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ...) -> None: ...

class Published(_message.Message):
    __slots__ = ("vpc", "revision", "parts")
    VPC_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    vpc: str
    revision: int
    parts: _containers.RepeatedCompositeFieldContainer[Part]
    def __init__(self, vpc: _Optional[str] = ..., revision: _Optional[int] = ..., parts: _Optional[_Iterable[_Union[Part, _Mapping]]] = ...) -> None: ...

class Subscribe(_message.Message):
    __slots__ = ("host", "epoch", "vpc", "attempt")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    vpc: str
    attempt: int
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., vpc: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class Accepted(_message.Message):
    __slots__ = ("host", "epoch", "vpc", "attempt")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    vpc: str
    attempt: int
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., vpc: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class Declined(_message.Message):
    __slots__ = ("host", "epoch", "vpc", "attempt")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    vpc: str
    attempt: int
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., vpc: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class Confirmed(_message.Message):
    __slots__ = ("host", "epoch", "vpc", "revision")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    vpc: str
    revision: int
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., vpc: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class OpenTopic(_message.Message):
    __slots__ = ("vpc",)
    VPC_FIELD_NUMBER: _ClassVar[int]
    vpc: str
    def __init__(self, vpc: _Optional[str] = ...) -> None: ...

class CloseTopic(_message.Message):
    __slots__ = ("vpc",)
    VPC_FIELD_NUMBER: _ClassVar[int]
    vpc: str
    def __init__(self, vpc: _Optional[str] = ...) -> None: ...

class Permit(_message.Message):
    __slots__ = ("host", "vpc")
    HOST_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    host: str
    vpc: str
    def __init__(self, host: _Optional[str] = ..., vpc: _Optional[str] = ...) -> None: ...

class EndSubscription(_message.Message):
    __slots__ = ("host", "vpc")
    HOST_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    host: str
    vpc: str
    def __init__(self, host: _Optional[str] = ..., vpc: _Optional[str] = ...) -> None: ...

class Told(_message.Message):
    __slots__ = ("host", "vpc", "revision", "data")
    HOST_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    host: str
    vpc: str
    revision: int
    data: bytes
    def __init__(self, host: _Optional[str] = ..., vpc: _Optional[str] = ..., revision: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Goal(_message.Message):
    __slots__ = ("host", "epoch", "vpc", "revision", "data")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    vpc: str
    revision: int
    data: bytes
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., vpc: _Optional[str] = ..., revision: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Attend(_message.Message):
    __slots__ = ("host", "epoch", "vpc", "turn", "slot")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    vpc: str
    turn: int
    slot: int
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., vpc: _Optional[str] = ..., turn: _Optional[int] = ..., slot: _Optional[int] = ...) -> None: ...

class Leave(_message.Message):
    __slots__ = ("host", "epoch", "vpc", "turn")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    vpc: str
    turn: int
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., vpc: _Optional[str] = ..., turn: _Optional[int] = ...) -> None: ...

class Left(_message.Message):
    __slots__ = ("host", "epoch", "vpc", "turn")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    vpc: str
    turn: int
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., vpc: _Optional[str] = ..., turn: _Optional[int] = ...) -> None: ...

class Mark(_message.Message):
    __slots__ = ("host", "epoch", "vpc", "turn", "slot")
    HOST_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    VPC_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    SLOT_FIELD_NUMBER: _ClassVar[int]
    host: str
    epoch: int
    vpc: str
    turn: int
    slot: int
    def __init__(self, host: _Optional[str] = ..., epoch: _Optional[int] = ..., vpc: _Optional[str] = ..., turn: _Optional[int] = ..., slot: _Optional[int] = ...) -> None: ...

class Envelope(_message.Message):
    __slots__ = ("config", "report", "registered", "deregistered", "hello", "request", "applied", "route", "granted", "refused", "push", "published", "subscribe", "accepted", "declined", "confirmed", "open_topic", "close_topic", "permit", "end_subscription", "told", "goal", "attend", "leave", "left", "mark")
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
    PUSH_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIBE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DECLINED_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_FIELD_NUMBER: _ClassVar[int]
    OPEN_TOPIC_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TOPIC_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    END_SUBSCRIPTION_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    GOAL_FIELD_NUMBER: _ClassVar[int]
    ATTEND_FIELD_NUMBER: _ClassVar[int]
    LEAVE_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    MARK_FIELD_NUMBER: _ClassVar[int]
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
    push: Push
    published: Published
    subscribe: Subscribe
    accepted: Accepted
    declined: Declined
    confirmed: Confirmed
    open_topic: OpenTopic
    close_topic: CloseTopic
    permit: Permit
    end_subscription: EndSubscription
    told: Told
    goal: Goal
    attend: Attend
    leave: Leave
    left: Left
    mark: Mark
    def __init__(self, config: _Optional[_Union[Config, _Mapping]] = ..., report: _Optional[_Union[Report, _Mapping]] = ..., registered: _Optional[_Union[Registered, _Mapping]] = ..., deregistered: _Optional[_Union[Deregistered, _Mapping]] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., request: _Optional[_Union[Request, _Mapping]] = ..., applied: _Optional[_Union[Applied, _Mapping]] = ..., route: _Optional[_Union[Route, _Mapping]] = ..., granted: _Optional[_Union[Granted, _Mapping]] = ..., refused: _Optional[_Union[Refused, _Mapping]] = ..., push: _Optional[_Union[Push, _Mapping]] = ..., published: _Optional[_Union[Published, _Mapping]] = ..., subscribe: _Optional[_Union[Subscribe, _Mapping]] = ..., accepted: _Optional[_Union[Accepted, _Mapping]] = ..., declined: _Optional[_Union[Declined, _Mapping]] = ..., confirmed: _Optional[_Union[Confirmed, _Mapping]] = ..., open_topic: _Optional[_Union[OpenTopic, _Mapping]] = ..., close_topic: _Optional[_Union[CloseTopic, _Mapping]] = ..., permit: _Optional[_Union[Permit, _Mapping]] = ..., end_subscription: _Optional[_Union[EndSubscription, _Mapping]] = ..., told: _Optional[_Union[Told, _Mapping]] = ..., goal: _Optional[_Union[Goal, _Mapping]] = ..., attend: _Optional[_Union[Attend, _Mapping]] = ..., leave: _Optional[_Union[Leave, _Mapping]] = ..., left: _Optional[_Union[Left, _Mapping]] = ..., mark: _Optional[_Union[Mark, _Mapping]] = ...) -> None: ...
