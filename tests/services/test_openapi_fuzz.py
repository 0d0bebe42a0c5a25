"""schemathesis drives the API from its own OpenAPI document."""

from __future__ import annotations

import tempfile
from pathlib import Path

import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from ragstead_gateway.app import create_app
from services.fake_platform import FakePlatform

platform = FakePlatform(Path(tempfile.mkdtemp()), allowed_hosts=("*",))
schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(platform))


@schema.parametrize()
@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_api_keeps_to_its_own_document(case):
    # no schema can say that a name is taken, a file is there, or a message is the user's
    case.call_and_validate(excluded_checks=[positive_data_acceptance])
