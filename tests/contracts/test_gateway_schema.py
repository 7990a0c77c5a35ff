"""The gateway is what its OpenAPI description says, under requests made from that description."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error

from tests.support.site import Site, running_site

EXAMPLES = 25


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/fixes", "POST"),
        ("/owntracks", "POST"),
        ("/osmand", "GET"),
        ("/osmand", "POST"),
        ("/osmand/{token}", "GET"),
    ],
)
def test_requests_made_from_the_description(site: Site, path: str, method: str) -> None:
    """Never a fault; a refusal is a problem."""
    token = site.issue("*", principal="described", role="service")
    schema = schemathesis.openapi.from_url(f"{site.url}/schema/openapi.json")
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=schema[path][method].as_strategy())
    def run(case: schemathesis.Case) -> None:
        answer = case.call(headers={"authorization": f"Bearer {token}"})
        case.validate_response(answer, checks=[not_a_server_error])
        statuses.add(answer.status_code)
        if answer.status_code >= 400:
            assert answer.headers["content-type"][0].startswith(("application/problem+json", "text/plain"))

    run()
    assert statuses & {200, 202}
