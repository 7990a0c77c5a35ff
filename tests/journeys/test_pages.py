"""The duty desk and the person's page in a real Chromium, before the real system on the embedded default."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.support.checkins import collins, jpeg
from tests.support.desk import CHROMIUM, Desk, camera_film, place, running_desk

pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium: apt-get install chromium"),
    pytest.mark.timeout(600),
]

PATIENCE_MS = 60_000
SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with running_desk(tmp_path_factory.mktemp("desk")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    film = tmp_path_factory.mktemp("film") / "face.y4m"
    camera_film(film, collins())
    options = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    options += [f"--use-file-for-fake-video-capture={film}", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield found
        found.close()


@pytest.fixture
def visit(browser: Browser, desk: Desk) -> Iterator[Any]:
    """Opens a page as somebody; an error in its scripts fails the test."""
    contexts: list[BrowserContext] = []
    wrong: list[str] = []

    def as_somebody(principal: str, role: str = "officer", **context: Any) -> Page:
        context = {"viewport": {"width": 1360, "height": 850}, "locale": "en-GB", **context}
        contexts.append(browser.new_context(**context))
        contexts[-1].set_default_timeout(PATIENCE_MS)
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(desk.link(principal, role))
        return page

    expect.set_options(timeout=PATIENCE_MS)
    yield as_somebody
    for one in contexts:
        one.close()
    assert wrong == []


def alert_of(page: Page, number: int) -> Any:
    return page.locator("article.alert", has_text=f"home of {number}")


def test_a_breach_is_seen_by_two_taken_and_settled_from_the_keyboard(desk: Desk, visit: Any) -> None:
    chen, wang = visit("chen"), visit("wang")
    for page in (chen, wang):
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
    sent = time.monotonic()
    desk.leaves(0)
    expect(chen.locator(".queue-fresh li, article.alert").filter(has_text="s-0")).to_be_visible()
    print(f"breach on the desk {time.monotonic() - sent:.2f} s after its fixes were sent")
    expect(alert_of(chen, 0)).to_be_visible()
    expect(alert_of(wang, 0)).to_be_visible()

    for _ in range(chen.locator("article.alert").count()):  # other tests may have left alerts before it
        chen.keyboard.press("j")
        if "chosen" in (alert_of(chen, 0).get_attribute("class") or "").split():
            break
    chen.keyboard.press("a")
    expect(alert_of(chen, 0)).to_contain_text("You since")
    expect(alert_of(wang, 0)).to_contain_text("chen since")
    alert_of(wang, 0).click()
    expect(alert_of(wang, 0).get_by_role("button", name="Take")).to_have_count(0)

    chen.keyboard.press("r")
    expect(chen.get_by_role("dialog")).to_be_visible()
    chen.keyboard.press("1")
    chen.get_by_label("Note").fill("seen by the patrol")
    chen.get_by_role("dialog").get_by_role("button", name="Resolve").click()
    expect(alert_of(chen, 0)).to_have_count(0)
    expect(alert_of(wang, 0)).to_have_count(0)

    chen.goto(f"{desk.url}/desk#/person/s-0")
    expect(chen.get_by_text("2026-0000").first).to_be_visible()
    expect(chen.locator(".timeline")).to_contain_text("resolved by chen")


def test_a_fence_that_is_drawn_raises_its_first_breach(desk: Desk, visit: Any) -> None:
    page = visit("lin")
    page.goto(f"{desk.url}/desk#/fences")
    page.get_by_role("button", name="Draw a circle").click()
    canvas = page.locator("canvas").first
    box = canvas.bounding_box()
    assert box is not None
    canvas.click(position={"x": box["width"] * 0.25, "y": box["height"] * 0.3})
    page.get_by_label("Name").fill("clinic")
    page.get_by_label("For whom (references, one a line)").fill("s-1")
    page.get_by_label("Severity").select_option("high")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("clinic is saved as version 1.")).to_be_visible()
    page.goto(f"{desk.url}/desk#/desk")
    end = time.monotonic() + 60
    raised = page.locator("article.alert", has_text="clinic")
    while not raised.count() and time.monotonic() < end:
        desk.report(1, [(0, 0.0)])
        page.wait_for_timeout(1_000)
    expect(raised).to_be_visible()


def test_a_person_checks_in_before_the_camera(desk: Desk, visit: Any, tmp_path: Path) -> None:
    picture = tmp_path / "collins.jpg"
    picture.write_bytes(jpeg(collins()))
    desk.run("enroll", "s-2", str(picture), "--by", "chen")
    lat, lon = place(2)
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "permissions": ["camera", "geolocation"]}
    page = visit("s-2", "subject", **phone, geolocation={"latitude": lat, "longitude": lon, "accuracy": 12})
    expect(page.get_by_text("home of 2")).to_be_visible()
    page.get_by_role("button", name="Check in").click()
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("video.preview")).to_be_visible()
    # The film is one picture, so the movements that were asked for are not made: it is not to be taken for a person.
    expect(page.locator(".outcome").get_by_role("heading")).to_have_text("Please try again", timeout=120_000)
    officer = visit("chen")
    officer.goto(f"{desk.url}/desk#/person/s-2")
    expect(officer.get_by_text("Check-in not usable").first).to_be_visible()


def test_without_the_camera_a_person_is_told_how_to_go_on(desk: Desk, visit: Any) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "locale": "zh-CN", "permissions": []}
    page = visit("s-3", "subject", **phone)
    expect(page.get_by_text("home of 3")).to_be_visible()
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    page.reload()
    page.get_by_role("button", name="开始签到").click()
    page.get_by_role("button", name="打开相机").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name="选择照片或视频")).to_be_visible()


def test_a_session_that_ends_in_the_middle_of_a_form_loses_nothing(desk: Desk, visit: Any) -> None:
    page = visit("s-4", "subject", viewport={"width": 390, "height": 844})
    page.get_by_role("link", name="Leave").click()
    page.get_by_label("Reason").fill("the dentist, at ten")
    page.get_by_label("From").fill("2027-01-05T09:00")
    page.get_by_label("Until").fill("2027-01-05T12:00")
    page.get_by_label("Not to one place").check()
    page.context.clear_cookies()
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_text("What you have written is kept.")).to_be_visible()
    desk.await_token(token := desk.issue("subject", "s-4", "d-4"))
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".list")).to_contain_text("the dentist, at ten")

    officer = visit("chen")
    officer.goto(f"{desk.url}/desk#/person/s-4")
    expect(officer.get_by_text("the dentist, at ten").first).to_be_visible()


def test_a_lost_line_is_told_and_what_was_missed_is_there_afterwards(desk: Desk, visit: Any) -> None:
    page = visit("chen")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    desk.parts["console"].kill()
    expect(page.get_by_text("Not live for")).to_be_visible()
    desk.leaves(5)
    desk.parts["console"].start().ready()
    expect(alert_of(page, 5)).to_be_visible()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_nothing_serious_stands_in_the_way_of_anybody(desk: Desk, visit: Any) -> None:
    """axe-core over every page, light and dark."""
    officer = visit("zhao", "supervisor")
    person = visit("s-5", "subject", viewport={"width": 390, "height": 844})
    shown = {"desk": ".queue-head", "person/s-0": "dl.facts", "fences": ".fence-list button", "tasks": "h1"}
    found = {}
    for scheme in ("light", "dark"):
        for page in (officer, person):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal, as Playwright has it
        rules = {} if scheme == "light" else {"runOnly": ["color-contrast"]}
        for name, full in {**shown, "overview": ".tile"}.items():
            officer.goto(f"{desk.url}/desk#/{name}")
            expect(officer.locator(full).first).to_be_visible()
            found[f"{name}, {scheme}"] = Axe().run(officer, options=rules)
        for name in ("Today", "Score", "Leave", "Rights", "Messages"):
            person.get_by_role("link", name=name).click()
            expect(person.locator(".panel").first).to_be_visible()
            found[f"{name}, {scheme}"] = Axe().run(person, options=rules)
    wrong = {
        f"{page}: {one['id']}": [node["html"][:160] for node in one["nodes"]]
        for page, result in found.items()
        for one in result.response["violations"]
        if one["impact"] in SERIOUS
    }
    assert wrong == {}
