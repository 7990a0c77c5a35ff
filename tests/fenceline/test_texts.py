"""What the pages say: the same keys in every language, and each key that the pages ask for."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable

STATIC = files("console") / "static"
ENTRY = re.compile(r'^\s*"([^"]+)": "((?:[^"\\]|\\.)*)",', re.MULTILINE)
ASKED = re.compile(r"""\b(?:t|word)\(\s*["']([a-z][\w.-]*\.[\w.-]+)["']""")


def texts(language: str) -> dict[str, str]:
    return dict(ENTRY.findall((STATIC / "text" / f"{language}.js").read_text("utf-8")))


def scripts(folder: Traversable) -> list[str]:
    found = []
    for one in folder.iterdir():
        if one.is_dir() and one.name != "text":
            found += scripts(one)
        elif one.name.endswith(".js"):
            found.append(one.read_text("utf-8"))
    return found


def test_every_text_is_there_in_both_languages_with_the_same_gaps() -> None:
    english, chinese = texts("en"), texts("zh-CN")
    assert english.keys() == chinese.keys()
    gaps = {key: [set(re.findall(r"\{(\w+)\}", one[key])) for one in (english, chinese)] for key in english}
    assert {key: both for key, both in gaps.items() if both[0] != both[1]} == {}


def test_every_text_that_the_pages_ask_for_is_there() -> None:
    asked = {key for script in scripts(STATIC) for key in ASKED.findall(script)}
    asked |= {f"overview.{key}" for script in scripts(STATIC) for key in re.findall(r'\btile\("(\w+)"', script)}
    assert len(asked) > 200
    assert asked - texts("en").keys() == set()
