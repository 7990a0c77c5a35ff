import json

import numpy as np
import pytest
from click.testing import CliRunner

from fenceline.cli import main
from fences.datum import from_wgs84, to_wgs84
from fences.lint import lint, read_features
from fences.shape import compile_geometry
from fences.suspicion import datum_suspicion
from schemas.fix import Fix
from schemas.message import Invalid
from schemas.times import from_epoch
from tests.support.ground import line, moved, point, polygon

BEIJING = 39.915, 116.404


def feature(geometry, fence_id="f", **properties):
    told = {"fence_id": fence_id, "rule": "stay_in", "datum": "wgs84", **properties}
    return json.dumps({"type": "Feature", "geometry": geometry, "properties": told}).encode()


def home(lat, lon, fence_id="f", radius_m=80, **properties):
    return feature(point(lon, lat), fence_id, buffer_m=radius_m, **properties)


def rests(lat, lon, n=30, spread_m=15.0, device_id="d1", **more):
    rng = np.random.default_rng(14)
    places = [moved(lat, lon, rng.uniform(0, 360), spread_m * rng.random()) for _ in range(n)]
    return [
        Fix(device_id=device_id, fix_time=from_epoch(60.0 * i), lat=place[0], lon=place[1], **more)
        for i, place in enumerate(places)
    ]


def found(features, fixes=()):
    return [(one.severity, one.feature, one.field) for one in lint(features, fixes)]


def test_nothing_to_find():
    square = polygon([(10, 60), (10.02, 60), (10.02, 60.01), (10, 60.01)])
    assert lint([feature(square), home(60, 10, "g"), feature(line((10, 60), (10.1, 60)), "h", buffer_m=50)]) == []
    assert lint([]) == []


WRONG = {
    "self-crossing": (feature(polygon([(0, 0), (1, 1), (1, 0), (0, 1)])), "error", "$.geometry.coordinates[0]"),
    "no buffer": (feature(point(1, 2)), "error", "$.properties.buffer_m"),
    "no datum": (
        b'{"type":"Feature","geometry":{},"properties":{"fence_id":"f","rule":"stay_in"}}',
        "error",
        "$.properties",
    ),
    "wrong rule": (home(1, 2, rule="stay"), "error", "$.properties.rule"),
    "no geometry": (b'{"type":"Feature","geometry":null,"properties":{}}', "error", "$.geometry"),
    "not JSON": (b'{"type":"Feature",', "error", "$"),
    "thin strip": (
        feature(polygon([(10, 60), (10.2, 60), (10.2, 60.0001), (10, 60.0001)])),
        "warning",
        "$.geometry.coordinates",
    ),
    "narrow circle": (home(60, 10, radius_m=14), "warning", "$.properties.buffer_m"),
    "narrow path": (feature(line((10, 60), (11, 60)), buffer_m=10), "warning", "$.properties.buffer_m"),
    "a continent": (home(60, 10, radius_m=500_000), "warning", "$.properties.buffer_m"),
    "huge area": (feature(polygon([(0, 0), (30, 0), (30, 30), (0, 30)])), "warning", "$.geometry.coordinates"),
    "a datum of China in Norway": (home(60, 10, datum="gcj02"), "warning", "$.properties.datum"),
}


@pytest.mark.parametrize("name", WRONG)
def test_each_defect_is_found_with_its_field(name):
    raw, severity, field = WRONG[name]
    assert found([home(60, 10, "good"), raw]) == [(severity, 1, field)]


def test_every_finding_says_what_and_how_to_mend():
    for raw, _, _ in WRONG.values():
        for one in lint([raw]):
            assert len(one.what) > 10
            assert len(one.mend) > 10


def test_a_thin_fence_with_a_buffer_is_wide_enough():
    strip = polygon([(10, 60), (10.2, 60), (10.2, 60.0001), (10, 60.0001)])
    assert lint([feature(strip, buffer_m=20)]) == []


def test_repeated_ids():
    """The same again is a warning, another under the same version an error, a rising version is how it should be."""
    one, same, other = home(60, 10, version=2), home(60, 10, version=2), home(61, 10, version=2)
    assert found([one, same]) == [("warning", 1, "$.properties.fence_id")]
    assert found([one, other]) == [("error", 1, "$.properties.version")]
    assert found([one, home(61, 10, version=3)]) == []
    assert found([one, home(61, 10, version=1)]) == [("warning", 1, "$.properties.version")]


def test_swapped_coordinates_stand_out_from_the_rest():
    town = [home(48.1 + n / 100, 11.5, f"f{n}") for n in range(5)]
    (finding,) = lint([*town, home(11.5, 48.1, "swapped")])
    assert (finding.fence_id, finding.field) == ("swapped", "$.geometry.coordinates")
    assert "swapped" in finding.what
    assert lint([*town, home(-33.9, 151.2, "in Sydney, and right")]) == []


def test_a_fence_drawn_on_a_shifted_map_and_named_wgs84():
    """Somebody rests 550 m beside the fence, always to the same side: the fence is in GCJ-02."""
    (finding,) = lint([home(*BEIJING)], rests(*(float(part) for part in to_wgs84(*BEIJING, "gcj02"))))
    assert (finding.severity, finding.field) == ("warning", "$.properties.datum")
    assert "if the fence were in gcj02" in finding.what
    assert finding.mend.endswith("name its datum gcj02")


def test_the_same_fence_named_rightly_is_not_suspect():
    at_home = rests(*(float(part) for part in to_wgs84(*BEIJING, "gcj02")))
    assert lint([home(*BEIJING, datum="gcj02")], at_home) == []
    assert lint([home(*BEIJING)], rests(*BEIJING)) == []


def test_fixes_are_read_in_their_own_datum():
    assert lint([home(*BEIJING)], rests(*(float(part) for part in from_wgs84(*BEIJING, "bd09")), datum="bd09")) == []


@pytest.mark.parametrize("truly", ["gcj02", "bd09"])
def test_a_device_that_reports_in_another_datum_than_it_says(truly):
    (finding,) = lint([home(*BEIJING)], rests(*(float(part) for part in from_wgs84(*BEIJING, truly))))
    assert f"if the fixes were in {truly}" in finding.what


def test_neighbours_movement_and_few_fixes_raise_no_suspicion():
    """Resting elsewhere, driving past, being there rarely, or beside a fence that somebody does rest in."""
    beside = [float(part) for part in to_wgs84(*BEIJING, "gcj02")]
    assert lint([home(*BEIJING)], rests(*moved(*BEIJING, 45, 500))) == []
    assert lint([home(*BEIJING)], rests(*beside, speed_mps=8.0)) == []
    assert lint([home(*BEIJING)], rests(*beside, n=9)) == []
    assert lint([home(*BEIJING)], [*rests(*beside), *rests(*BEIJING, device_id="d2")]) == []
    assert lint([home(*BEIJING, rule="keep_out")], rests(*beside)) == []
    assert lint([home(60, 10)], rests(60.005, 10)) == []


def test_suspicion_at_run_time_names_the_shift_and_the_shares():
    shape = compile_geometry(point(*BEIJING[::-1]), "wgs84", 80.0)
    lat, lon = to_wgs84(np.full(50, BEIJING[0]), np.full(50, BEIJING[1]), "gcj02")
    suspicion = datum_suspicion(lat, lon, shape, "wgs84")
    assert (suspicion.side, suspicion.named, suspicion.likely, suspicion.fixes) == ("fence", "wgs84", "gcj02", 50)
    assert (suspicion.inside_named, suspicion.inside_likely) == (0.0, 1.0)
    assert 540 < suspicion.shift_m < 570


@pytest.mark.parametrize(
    ("raw", "count"),
    [
        (b'{"type":"FeatureCollection","features":[]}', 0),
        (b'{"type":"FeatureCollection","features":[' + home(1, 2) + b"," + home(3, 4) + b"]}", 2),
        (home(1, 2), 1),
        (home(1, 2) + b"\n\n" + home(3, 4) + b"\n", 2),
        (home(1, 2) + b'\n{"type":"Feat}\n' + home(3, 4), 3),
    ],
    ids=["empty collection", "collection", "one feature", "a feature a line", "a broken line among them"],
)
def test_forms_of_a_file(raw, count):
    assert len(read_features(raw)) == count


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"12", b'{"type":"Topology"}', b"\xff\xfe", b'{"type":"FeatureCollection"}']
)
def test_other_files_are_refused(raw):
    with pytest.raises(Invalid):
        read_features(raw)


def run(tmp_path, features, *arguments, fixes=None):
    file = tmp_path / "fences.geojson"
    file.write_bytes(b'{"type":"FeatureCollection","features":[' + b",".join(features) + b"]}")
    if fixes is not None:
        (tmp_path / "fixes.ndjson").write_text(fixes)
        arguments = ("--fixes", str(tmp_path / "fixes.ndjson"))
    return CliRunner().invoke(main, ["fences", "lint", str(file), *arguments])


def test_command_prints_ndjson_and_words_and_fails_on_errors(tmp_path):
    result = run(tmp_path, [home(60, 10), feature(point(1, 2), "bare")])
    assert result.exit_code == 1
    (finding,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert (finding["fence_id"], finding["field"]) == ("bare", "$.properties.buffer_m")
    assert "feature 1 (bare), $.properties.buffer_m" in result.stderr
    assert "2 fences, 1 errors, 0 warnings" in result.stderr


def test_command_passes_with_warnings_only(tmp_path):
    result = run(tmp_path, [home(60, 10, radius_m=5)])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["severity"] == "warning"


def test_command_reads_fixes_and_leaves_out_bad_ones(tmp_path):
    lat, lon = (float(part) for part in to_wgs84(*BEIJING, "gcj02"))
    fix = json.dumps({"device_id": "d", "fix_time": "2026-01-01T00:00:00Z", "lat": lat, "lon": lon})
    frame = "[" + ",".join([fix] * 20) + ', {"device_id": "d"}]'
    result = run(tmp_path, [home(*BEIJING)], fixes=f"{frame}\nnonsense\n\n{fix}\n")
    assert result.exit_code == 0
    assert "21 fixes at rest" in json.loads(result.stdout)["what"]
    assert "line 1, a fix left out" in result.stderr
    assert "line 2, a fix left out" in result.stderr


def test_command_says_what_is_no_file_of_fences(tmp_path):
    (tmp_path / "other.json").write_text('{"type": "Topology"}')
    result = CliRunner().invoke(main, ["fences", "lint", str(tmp_path / "other.json")])
    assert result.exit_code == 1
    assert "FeatureCollection" in result.stderr
    assert result.stdout == ""
