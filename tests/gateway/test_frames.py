import json
from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2

from gateway.frames import MAX_BYTES, MAX_FIXES, Part, frames, partition_of
from schemas.fix import decode_fixes

devices = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(devices, st.integers(1, 512))
def test_the_partition_is_that_of_kafkas_default_partitioner(device_id: str, partitions: int) -> None:
    """As kafka-python computes it, which follows the Java client."""
    key = device_id.encode()
    assert partition_of(device_id, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions


def test_the_hash_is_the_java_clients() -> None:
    """Values of org.apache.kafka.common.utils.UtilsTest, so that not both Python clients are wrong alike."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536,
             b"a-little-bit-longer-string": -1486304829, b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
             b"abc": 479470107}  # fmt: skip
    for key, hashed in known.items():
        assert partition_of(key.decode(), 1000) == (hashed & 0x7FFFFFFF) % 1000


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 200_000)), max_size=40))
def test_frames_keep_order_and_bounds(given: list[tuple[str, int]]) -> None:
    """Every fix once, in order, no frame too large unless it is one fix, the key only when all are of one device."""
    parts = [Part(name, b'"' + b"x" * size + b'"', number) for number, (name, size) in enumerate(given)]
    built = list(frames(parts))
    assert [part.waiter for frame in built for part in frame.parts] == list(range(len(parts)))
    for frame in built:
        assert json.loads(frame.value) == [json.loads(part.json) for part in frame.parts]
        assert len(frame.parts) == 1 or len(frame.value) <= MAX_BYTES
        names = {part.device_id for part in frame.parts}
        assert frame.key == (names.pop().encode() if len(names) == 1 else None)


def test_no_frame_holds_more_than_its_number_of_fixes() -> None:
    built = list(frames([Part("a", b"{}", None)] * (2 * MAX_FIXES + 1)))
    assert [len(frame.parts) for frame in built] == [MAX_FIXES, MAX_FIXES, 1]


def test_a_frame_is_what_agents_read() -> None:
    json_ = b'{"device_id":"a","fix_time":"2026-11-23T12:00:00.000Z","lat":1.0,"lon":2.0}'
    (frame,) = frames([Part("a", json_, None)] * 3)
    assert len(decode_fixes(frame.value)) == 3


def test_devices_spread_over_the_partitions() -> None:
    found: dict[int, int] = defaultdict(int)
    for number in range(16_000):
        found[partition_of(f"device-{number}", 16)] += 1
    assert all(800 < devices_ < 1200 for devices_ in found.values())
    assert len(found) == 16
