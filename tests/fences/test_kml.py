"""KML in, GeoJSON out: placemarks as shapes, what cannot be one named, what is dangerous refused."""

import pytest

from fences.kml import MOST_DEPTH, MOST_PLACEMARKS, is_kml, read_kml
from schemas.message import Invalid

RING = "110,30,5 110.02,30 110.02,30.02 110,30"
HOLE = "110.01,30.001 110.012,30.001 110.012,30.003 110.01,30.001"


def polygon(*rings: str) -> str:
    def boundary(tag: str, ring: str) -> str:
        return f"<{tag}><LinearRing><coordinates>{ring}</coordinates></LinearRing></{tag}>"

    holes = "".join(boundary("innerBoundaryIs", one) for one in rings[1:])
    return f"<Polygon>{holes}{boundary('outerBoundaryIs', rings[0])}</Polygon>"


def document(*placemarks: str) -> bytes:
    marks = "".join(f"<Placemark>{one}</Placemark>" for one in placemarks)
    space = "http://www.opengis.net/kml/2.2"
    return f'<kml xmlns="{space}"><Document><name>all</name><Folder>{marks}</Folder></Document></kml>'.encode()


def test_points_lines_areas_and_areas_with_holes_come_with_their_names() -> None:
    raw = document(
        f"<name>park</name>{polygon(RING, HOLE)}",
        "<name>gate</name><Point><coordinates>110,30</coordinates></Point>",
        "<LineString><coordinates>110,30 110.1,30.1</coordinates></LineString>",
        f"<name>two</name><MultiGeometry>{polygon(RING)}{polygon(RING)}</MultiGeometry>",
    )
    shapes = read_kml(raw)
    told = [(one["properties"]["name"], one["geometry"]["type"]) for one in shapes.features]
    assert told == [("park", "Polygon"), ("gate", "Point"), ("#3", "LineString"), ("two", "MultiPolygon")]
    outer, hole = shapes.features[0]["geometry"]["coordinates"]
    assert outer[0] == [110.0, 30.0], "height is left out, and the outer ring comes first"
    assert hole[0] == [110.01, 30.001]
    assert not shapes.left_out


def test_what_is_no_shape_is_named_and_costs_nothing_else() -> None:
    raw = document(
        "<name>view</name>",
        "<name>odd</name><Point><coordinates>somewhere</coordinates></Point>",
        "<name>far</name><Point><coordinates>200,30</coordinates></Point>",
        "<name>gate</name><Point><coordinates>110,30</coordinates></Point>",
    )
    shapes = read_kml(raw)
    assert [one["properties"]["name"] for one in shapes.features] == ["gate"]
    assert [one.name for one in shapes.left_out] == ["view", "odd", "far"]
    assert "Polygon" in shapes.left_out[0].why
    assert "longitude,latitude" in shapes.left_out[1].why


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"<!DOCTYPE kml [<!ENTITY a 'aaaa'>]><kml/>", "document type"),
        (b"<kml><Placemark>", "not XML"),
        (b"<kml/>", "no Placemark"),
        (b"<a>" * (MOST_DEPTH + 1), "nested too deeply"),
        (b"<kml>" + b"<Placemark/>" * (MOST_PLACEMARKS + 1) + b"</kml>", "several files"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_reason(raw: bytes, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read_kml(raw)


def test_a_file_is_told_from_geojson_by_its_first_sign() -> None:
    assert is_kml(b"\xef\xbb\xbf\n <kml/>")
    assert not is_kml(b' {"type": "Feature"}')
