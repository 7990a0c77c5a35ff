"""placeholder"""

from pipeline.judgement import Judgement, Judged, Told
from pipeline.step import Emission


class LateTracks:
    def __init__(self, judgement: Judgement) -> None: ...
    def before(self, judged: Judged) -> None: ...
    def after(self, judged: Judged) -> list[Told]:
        return []

    def take(self, row: int, t: float, lat: float, lon: float, accuracy_m: float) -> tuple[list[Emission], bool]:
        return [], False

    def due_s(self, row: int) -> float:
        return float("inf")

    def fire(self, row: int, due_s: float) -> list[Emission]:
        return []

    def flush(self) -> list[Emission]:
        return []

    def dump(self, row: int) -> object:
        return None

    def load(self, row: int, state: object) -> None: ...
