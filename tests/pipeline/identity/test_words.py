"""Officers read in words why a check-in is in doubt, whatever the code."""

import re
from pathlib import Path

from pipeline.explain.sentences import sentence
from pipeline.explain.texts import REASONS
from pipeline.identity import outcome
from pipeline.identity.quality import PROBE, checks
from schemas.incident import Incident
from tests.support.faces_told import GOOD, OTHER, bench, tried


def test_every_code_has_words_in_both_languages() -> None:
    """Those of outcomes, signs, refusals and quality, as they stand in the code."""
    folder = Path(outcome.__file__).parent
    codes = {one.check for one in checks(GOOD, PROBE)} | set(outcome.WORDS) | set(outcome.NOT_THE_PERSONS)
    for name, pattern in (
        ("outcome.py", r'"(?:doubtful|rejected|unsure)",\s*\("(\w+)"'),
        ("presence.py", r'Sign\(\s*"(\w+)"'),
        ("tries.py", r'^    "(\w+)": "'),
        ("decide.py", r'"doubtful", \("(\w+)"'),
        ("calls.py", r'"reason": "(\w+)"'),
    ):
        found = set(re.findall(pattern, (folder / name).read_text(), re.MULTILINE))
        assert found, name
        codes |= found
    assert codes <= REASONS.keys(), codes - REASONS.keys()
    assert {"no_match", "apart", "moire", "replayed", "tried", "not_examined"} <= codes


def test_the_sentence_says_it() -> None:
    (doubt,) = [one for one in tried(bench(), "c1", 0, OTHER) if isinstance(one, Incident)]
    assert sentence(doubt).startswith("Whether it was s1 who checked in at ")
    assert "is in doubt: the face is not like the enrolled one; a person has to look." in sentence(doubt)
    assert "：人脸与登记照片不符，需人工核实。" in sentence(doubt, "zh-CN")
