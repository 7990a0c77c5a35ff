from gateway.access import route_of
from gateway.metrics import ABOUT, Metrics, Name
from gateway.problems import HINTS, hint_of
from schemas.message import Invalid


def test_every_metric_is_described() -> None:
    assert ABOUT.keys() == set(Name)


def test_the_text_is_what_prometheus_reads() -> None:
    """Buckets grow, the last holds all, sums and counts agree."""
    metrics = Metrics()
    metrics.count(Name.FIXES, 3, way="http")
    metrics.count(Name.FIXES, way="mqtt")
    metrics.set(Name.IN_FLIGHT, 7)
    for seconds in (0.0005, 0.02, 99.0):
        metrics.observe(Name.REQUEST_SECONDS, seconds, route="/v1/fixes")
    lines = metrics.text().splitlines()
    assert 'fenceline_gateway_fixes_total{way="http"} 3' in lines
    assert "fenceline_gateway_in_flight_fixes 7" in lines
    assert 'fenceline_gateway_request_seconds_bucket{route="/v1/fixes",le="0.001"} 1' in lines
    assert 'fenceline_gateway_request_seconds_bucket{route="/v1/fixes",le="10.0"} 2' in lines
    assert 'fenceline_gateway_request_seconds_bucket{route="/v1/fixes",le="+Inf"} 3' in lines
    assert 'fenceline_gateway_request_seconds_count{route="/v1/fixes"} 3' in lines
    assert metrics.total(Name.FIXES) == 4
    assert metrics.total(Name.FIXES, way="mqtt") == 1
    assert all(line.startswith(("#", "fenceline_gateway_")) for line in lines)


def test_a_route_is_never_what_a_sender_made_up() -> None:
    assert route_of("/osmand/fl_abc_secret") == "/osmand"
    assert route_of("/v1/fixes") == "/v1/fixes"
    assert route_of("/v1/other") == route_of("/x" * 500) == route_of("") == "other"
    assert route_of("/schema/openapi.json") == "/schema"


def test_a_hint_fits_the_field() -> None:
    assert hint_of(Invalid("x", "$[3].lat")) == HINTS["lat"]
    assert hint_of(Invalid("Object missing required field `fix_time`")) == HINTS["fix_time"]
    assert "docs/gateway.md" in hint_of(Invalid("x", "$.what"))
