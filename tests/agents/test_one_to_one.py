"""Faces are compared one to one: nothing of ours can search over faces, or guess age, sex, race or emotion."""

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("schemas", "fences", "pipeline", "agents", "gateway", "console", "fenceline")
ALLOWED = {("deepface.commons", "folder_utils"), ("deepface.commons", "weight_utils"), ("deepface.modules", "modeling")}
TASKS = {"facial_recognition", "spoofing"}

RUNS = """
import io, sys
from agents.examination import Job, examine
from agents.faces import Examiner
from tests.support.checkins import collins, jpeg
assert examine(Examiner(), Job((jpeg(collins()),))).values[0]
never = ("deepface.DeepFace", "deepface.modules.demography", "deepface.modules.recognition")
ours = [name for name in sys.modules if name.startswith("deepface")]
assert "deepface.modules.modeling" in ours
loaded = [name for name in ours if name.startswith(never) or "attribute" in name or "demography" in name]
assert not loaded, loaded
from deepface.modules import modeling
built = set(getattr(modeling, "cached_models", {}))
assert not built & {"facial_attribute", "face_detector"}, built
"""


def test_of_deepface_only_what_builds_a_recognition_model_is_imported() -> None:
    imported = set()
    for folder in OURS:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "deepface":
                    imported |= {(node.module, alias.name) for alias in node.names}
                if isinstance(node, ast.Import):
                    assert not any(alias.name.split(".")[0] == "deepface" for alias in node.names), path
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    assert node.value != "facial_attribute", path
                    assert not node.value.startswith("deepface."), f"imported by name in {path}"
    assert imported == ALLOWED


def test_only_two_kinds_of_models_are_ever_asked_for() -> None:
    calls = [
        node
        for node in ast.walk(ast.parse((ROOT / "agents" / "faces.py").read_bytes()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_built"
    ]
    tasks = {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}
    assert tasks == TASKS
    assert all(isinstance(call.args[0], ast.Constant) for call in calls)


def test_when_a_face_is_examined_none_of_it_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", RUNS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
