"""How many checks a second does one core do, and with how much memory, beside bare `DeepFace.verify`?

    python -m benchmarks.identity [--checks 20] [A.jpg B.jpg]

A check is: decode both photographs, find the face, measure its quality, compare. Each contender runs in a process of
its own, on one core, on the same two files, and is warmed up once. `templates`: as in service, where the person is
enrolled and only the new picture is looked at. DeepFace: model and detector Dlib.
`per_core_s`: checks a second of process time. One JSON object on stdout.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.support.checkins import collins, jpeg

CONTENDERS = ("ours", "templates", "deepface_dlib")


def _ours(one: bytes, two: bytes, *, enrolled: bool) -> Callable[[], object]:
    from agents.examination import Job, examine  # noqa: PLC0415  # memory is counted by contender
    from agents.faces import Examiner  # noqa: PLC0415  # memory is counted by contender

    examiner = Examiner()
    if not enrolled:
        return lambda: examine(examiner, Job((one, two)))
    values = examine(examiner, Job((one,))).values
    return lambda: examine(examiner, Job((two,), values))


def _deepface(paths: tuple[str, str], detector: str) -> Callable[[], object]:
    import face_recognition_models as weights  # noqa: PLC0415  # memory is counted by contender

    home = Path(tempfile.mkdtemp())
    folder = home / ".deepface" / "weights"
    folder.mkdir(parents=True)
    os.environ["DEEPFACE_HOME"] = str(home)
    (folder / "dlib_face_recognition_resnet_model_v1.dat").symlink_to(weights.face_recognition_model_location())
    (folder / "shape_predictor_5_face_landmarks.dat").symlink_to(weights.pose_predictor_five_point_model_location())
    from deepface import DeepFace  # noqa: PLC0415  # memory is counted by contender

    return lambda: DeepFace.verify(*paths, model_name="Dlib", detector_backend=detector, enforce_detection=True)


def run(contender: str, paths: tuple[str, str], checks: int) -> dict[str, object]:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    one, two = (Path(path).read_bytes() for path in paths)
    if contender.startswith("deepface"):
        check = _deepface(paths, contender.removeprefix("deepface_"))
    else:
        check = _ours(one, two, enrolled=contender == "templates")
    check()
    began, began_cpu = time.perf_counter(), time.process_time()
    for _ in range(checks):
        check()
    wall_s, cpu_s = time.perf_counter() - began, time.process_time() - began_cpu
    return {
        "checks": checks,
        "per_s": round(checks / wall_s, 2),
        "per_core_s": round(checks / cpu_s, 2),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*", help="two photographs; default: Eileen Collins, and again otherwise")
    parser.add_argument("--checks", type=int, default=20)
    parser.add_argument("--only", choices=CONTENDERS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(run(given.only, tuple(given.pictures), given.checks)), file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as folder:
        pictures = given.pictures
        if len(pictures) != 2:
            pictures = [f"{folder}/a.jpg", f"{folder}/b.jpg"]
            Path(pictures[0]).write_bytes(jpeg(collins()))
            Path(pictures[1]).write_bytes(jpeg(collins().crop((60, 0, 420, 400)), 0.9))
        result: dict[str, object] = {"benchmark": "identity", "cores": os.cpu_count()}
        for name in CONTENDERS:
            command = [sys.executable, "-m", "benchmarks.identity", "--only", name, "--checks", str(given.checks)]
            done = subprocess.run([*command, *pictures], capture_output=True, text=True, check=False)
            lines = done.stderr.strip().splitlines()
            result[name] = json.loads(lines[-1]) if done.returncode == 0 else {"failed": lines[-1] if lines else ""}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
