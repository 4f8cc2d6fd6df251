"""NCM as a service on Alcor's wire format."""

from __future__ import annotations

from impl.core import Effects
from impl.roles.on_demand_roles import NcmRole
from impl.roles.timing import DEFAULT, Timing
from impl.service.ncm import NcmService
from impl.storage.store import Store
from impl.transport.grpc.ncm_gateway import NcmGateway


class _Retelling(NcmRole):
    """Alcor's transport keeps no message beyond its process."""

    def begin(self) -> Effects:
        return self.core.retell()


class AlcorNcmService(NcmService):
    """NCM on Alcor's wire format."""

    kind = _Retelling

    def __init__(self, store: Store, gateway: NcmGateway, timing: Timing = DEFAULT) -> None:
        super().__init__(store, lambda: gateway.open(self.ncm), timing)
