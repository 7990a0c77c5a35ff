import io
import json
import logging

import pytest
import structlog

from fenceline.logs import HIDDEN, configure, redacted


@pytest.mark.parametrize(
    "text",
    [
        "call +86 138 1234 5678 now",
        "13812345678",
        "phone=13812345678",
        "at 31.2304, 121.4737",
        "lat=31.230412",
        "token fl_abcdef_Zm9v-YmFy_x was used",
        "mqtt://gateway:hunter2@host:1883",
        "+4915123456789",
    ],
)
def test_what_a_log_must_not_hold_is_hidden(text: str) -> None:
    shown = redacted(text)
    assert "hidden" in shown
    for secret in ("1381234", "138 1234", "31.2304", "121.4737", "Zm9v", "hunter2", "1512345"):
        assert secret not in shown


@pytest.mark.parametrize(
    "text",
    ["device 490154203237518", "2026-11-23T12:00:00.000Z", "took 12.5 ms", "1763899200", "offset 1042", "v1.2.3"],
)
def test_ids_times_and_figures_stay(text: str) -> None:
    assert redacted(text) == text


def test_hiding_reaches_every_depth() -> None:
    assert redacted({"a": [{"phone": "x", "b": "13812345678"}]}) == {"a": [{"phone": HIDDEN, "b": HIDDEN}]}


def test_a_line_is_json_without_secrets_also_from_libraries_and_in_tracebacks() -> None:
    sink = io.StringIO()
    try:
        configure(stream=sink)
        structlog.get_logger().info("seen", device_id="d-1", lat=31.2, token="fl_abc_x", note="at 31.2304")
        try:
            raise ValueError("13812345678")
        except ValueError:
            structlog.get_logger().exception("broken")
        logging.getLogger("library").warning("password in %s", "redis://u:pw@host")
        lines = [json.loads(line) for line in sink.getvalue().splitlines()]
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers = []
    seen, broken, library = lines
    assert (seen["event"], seen["device_id"], seen["lat"], seen["token"]) == ("seen", "d-1", HIDDEN, HIDDEN)
    assert "ValueError" in broken["exception"]
    assert "13812345678" not in sink.getvalue()
    assert library["logger"] == "library"
    assert "pw" not in library["event"]
