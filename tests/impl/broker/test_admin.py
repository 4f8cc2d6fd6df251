"""The admin client against a broker that answers as told to."""

from __future__ import annotations

import httpx
import pytest

from impl.broker.admin import Admin
from impl.broker.deployment import Deployment
from impl.errors import BadDeployment

DEPLOYMENT = Deployment("pulsar://nowhere", "http://nowhere", "alcor/test", b"")


def admin_of(*, exists: bool) -> Admin:
    """An admin client whose broker fails to create a tenant; `exists`: since another client has just created it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT" and "/tenants/" in request.url.path:
            return httpx.Response(500, text="Version mismatch, actual=0, expect=-1")
        if request.method == "GET" and "/tenants/" in request.url.path:
            return httpx.Response(200 if exists else 404, json={})
        return httpx.Response(200, json=["standalone"])

    admin = Admin(DEPLOYMENT)
    admin._client = httpx.Client(base_url="http://nowhere/admin/v2", transport=httpx.MockTransport(answer))
    return admin


def test_a_tenant_that_another_client_creates_at_the_same_time_is_there() -> None:
    with admin_of(exists=True) as admin:
        admin.create_namespace("alcor/test")


def test_a_tenant_that_cannot_be_created_is_a_problem() -> None:
    with admin_of(exists=False) as admin, pytest.raises(BadDeployment, match="GET /tenants/alcor"):
        admin.create_namespace("alcor/test")
