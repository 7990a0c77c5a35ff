"""Which shapes are in a KML file? Placemarks as GeoJSON Features, and what of them cannot be a fence.

A small reader of our own over expat: of KML only names and coordinates matter here, and a document type, the door to
entity bombs and foreign files, is refused before anything of it is read.
"""

from typing import Any, NamedTuple
from xml.parsers import expat  # document types are refused below; what is left expands nothing

from schemas.message import Invalid

MOST_PLACEMARKS = 5_000
MOST_DEPTH = 64
_SHAPES = frozenset({"Point", "LineString", "Polygon"})


class LeftOut(NamedTuple):
    """A placemark that is no fence, and why."""

    name: str
    why: str


class Shapes(NamedTuple):
    """What a file holds."""

    features: list[dict[str, Any]]
    left_out: list[LeftOut]


def is_kml(raw: bytes) -> bool:
    """Whether `raw` looks like XML, and so not like GeoJSON."""
    return raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def read_kml(raw: bytes) -> Shapes:
    """The placemarks of a KML document, coordinates in WGS 84 (KML knows no other).

    Raises:
        Invalid: not XML, a document type, too deep, or without a placemark.
    """
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.buffer_text = True
    try:
        parser.Parse(raw, True)
    except expat.ExpatError as error:
        raise Invalid(f"not XML: {expat.ErrorString(error.code)} in line {error.lineno}") from error
    if not reader.features and not reader.left_out:
        raise Invalid("there is no Placemark in it: not KML, or an empty one")
    return Shapes(reader.features, reader.left_out)


def _refuse_doctype(*_: object) -> None:
    raise Invalid("a KML file needs no document type (<!DOCTYPE>); take it out")


class _Reader:
    def __init__(self) -> None:
        self.features: list[dict[str, Any]] = []
        self.left_out: list[LeftOut] = []
        self._path: list[str] = []
        self._words: list[str] = []
        self._name = ""
        self._found: list[dict[str, Any]] = []
        self._rings: list[list[list[float]]] = []
        self._why = ""
        self._count = 0

    def start(self, tag: str, _: dict[str, str]) -> None:
        name = tag.rpartition(":")[2]
        self._path.append(name)
        if len(self._path) > MOST_DEPTH:
            raise Invalid("the XML is nested too deeply")
        self._words = []
        if name == "Placemark":
            self._count += 1
            if self._count > MOST_PLACEMARKS:
                raise Invalid(f"more than {MOST_PLACEMARKS} placemarks; send it in several files")
            self._name, self._found, self._why = "", [], ""
        elif name == "Polygon":
            self._rings = []

    def text(self, words: str) -> None:
        self._words.append(words)

    def end(self, _: str) -> None:
        name = self._path.pop()
        words, self._words = "".join(self._words).strip(), []
        if name == "name" and self._path[-1:] == ["Placemark"]:
            self._name = words
        elif name == "coordinates" and "Placemark" in self._path:
            self._coordinates(words)
        elif name == "Polygon" and self._rings:
            self._found.append({"type": "Polygon", "coordinates": self._rings})
        elif name == "Placemark":
            self._placemark()

    def _coordinates(self, words: str) -> None:
        try:
            places = [[float(part) for part in triple.split(",")[:2]] for triple in words.split()]
        except ValueError:
            places = []
        good = all(len(place) == 2 and abs(place[0]) <= 180 and abs(place[1]) <= 90 for place in places)
        if not places or not good:
            self._why = "its coordinates are not longitude,latitude in degrees"
            return
        if "Polygon" in self._path:
            if self._path[-2:-1] == ["innerBoundaryIs"]:
                self._rings.append(places)
            else:
                self._rings.insert(0, places)
        elif self._path[-1] == "LineString":
            self._found.append({"type": "LineString", "coordinates": places})
        elif self._path[-1] == "Point":
            self._found.append({"type": "Point", "coordinates": places[0]})

    def _placemark(self) -> None:
        name = self._name or f"#{self._count}"
        areas = [one["coordinates"] for one in self._found if one["type"] == "Polygon"]
        if len(areas) > 1:
            shapes = [{"type": "MultiPolygon", "coordinates": areas}]
            shapes += [one for one in self._found if one["type"] != "Polygon"]
        else:
            shapes = self._found
        for shape in shapes:
            self.features.append({"type": "Feature", "properties": {"name": name}, "geometry": shape})
        if not shapes:
            self.left_out.append(LeftOut(name, self._why or f"it holds none of {', '.join(sorted(_SHAPES))}"))
