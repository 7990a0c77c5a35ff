"""The page of figures is made from results, and says what is missing."""

from pathlib import Path

import pytest

from benchmarks import page


def test_figures_stand_with_their_units_and_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One result, the others not measured."""
    (tmp_path / "latency.json").write_text(
        '{"machine": {"cores": 2}, "sent": {"fixes_per_s": 5000, "answer_p50_ms": 3, "answer_p99_ms": 9},'
        '"gateway_to_incident": {"events": 1200, "p50_ms": 60, "p90_ms": 80, "p99_ms": 120, "max_ms": 150}}'
    )
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    monkeypatch.setattr(page, "DOCS", tmp_path)
    page.main()
    said = (tmp_path / "speed.md").read_text()
    assert "| 5,000 | 1,200 | 60 | 80 | 120 | 150 | 3 | 9 |" in said
    assert "Not measured yet" in said
