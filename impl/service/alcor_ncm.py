"""NCM as a service on Alcor's wire format."""

from __future__ import annotations

from impl.core import Effects
from impl.service.ncm import NcmService
from impl.service.timing import Timing
from impl.storage.store import Store
from impl.transport.grpc.ncm_gateway import NcmGateway


class AlcorNcmService(NcmService):
    """NCM on Alcor's wire format."""

    def __init__(self, store: Store, gateway: NcmGateway, timing: Timing | None = None) -> None:
        super().__init__(store, lambda: gateway.open(self.ncm), timing)

    def begin(self) -> Effects:
        return self.ncm.retell()
