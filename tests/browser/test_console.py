"""The console in a real browser: the policy lets its scripts run, and a maker's day works with a mouse."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Browser, Page, sync_playwright

from bridge.approvals import services as approvals
from bridge.approvals.services import Proposal
from bridge.kernel.results import Role
from bridge.roles import ensure_groups
from funds.models import Fund
from funds.rulebook import ACTIVATE, Draft, draft_parameters
from tests import factories
from tests.functional.api.test_tokens import shown_by
from tests.world import MAKER, World, world
from transfers.models import Transfer

pytestmark = [pytest.mark.chromium, pytest.mark.django_db(transaction=True)]
# Whether all that a cell shows is inside of the screen, of its card and of itself.
IN_SIGHT = """cell => {
    const box = document.createRange(); box.selectNodeContents(cell);
    const frame = cell.closest(".bridge-scroll, [data-simplebar]").getBoundingClientRect();
    const right = Math.min(window.innerWidth, frame.right, cell.getBoundingClientRect().right);
    return [...box.getClientRects()].every(part => part.right <= right + 1);
}"""
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture
def browser(chromium: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    # Playwright's own loop runs in this thread; the queries below are not made in it.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()
        connections.close_all()  # while the loop runs, this thread has connections beside its own


@pytest.fixture
def house() -> Iterator[World]:
    with world() as made:
        yield made
        made.check()


def signed_in(browser: Browser, base: str, role: Role, viewport: dict[str, int]) -> Page:
    ensure_groups()
    user = factories.make_login(role)
    page = browser.new_page(viewport=viewport, color_scheme="light")  # type: ignore[arg-type]
    answer = page.goto(f"{base}/admin/")
    assert answer is not None
    assert answer.status == 200, page.content()
    page.fill("input[name=username]", user.username)
    page.fill("input[name=password]", factories.PASSWORD)
    page.click("button[type=submit]")  # covered for ever where the theme's scripts may not run
    page.wait_for_url(f"{base}/admin/")
    return page


def test_a_maker_signs_in_finds_a_transfer_and_cancels_it(house: World, live_server: object, browser: Browser) -> None:
    base = str(live_server)
    transfer = house.request(house.account(), house.fund(), 1_000_000, external_id="REQ-7")
    page = signed_in(browser, base, Role.MAKER, DESK)
    page.get_by_text("What needs me now?").first.wait_for()
    page.goto(f"{base}/admin/transfers/transfer/?q=REQ-7")
    page.locator("#result_list .field-public a").first.click()
    page.wait_for_url("**/change/**")
    page.locator(".bridge-verbs").get_by_role("link", name="Cancel").click()
    page.fill("textarea[name=reason]", "asked by phone")
    page.get_by_role("button", name="Yes, cancel").click()
    page.get_by_text("Cancelled.", exact=True).wait_for()
    assert Transfer.objects.get(pk=transfer.pk).state == "cancelled"


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_a_person_sets_up_a_second_factor(
    house: World, live_server: object, browser: Browser, viewport: dict[str, int]
) -> None:
    base = str(live_server)
    page = signed_in(browser, base, Role.MAKER, viewport)
    if viewport == DESK:
        page.get_by_text(User.objects.get().username, exact=True).last.click()
        page.get_by_role("link", name="Second factor", exact=True).click()
    else:
        page.goto(f"{base}/admin/second-factor/")
    page.fill("input[name=password]", factories.PASSWORD)
    page.get_by_role("button", name="Set it up").click()
    picture = page.locator("svg.bridge-qr")
    box = picture.bounding_box()
    assert box is not None and box["width"] >= 200, "an app reads it from the screen"
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.fill("input[name=code]", shown_by(TOTPDevice.objects.get()))
    page.get_by_role("button", name="This is the code").click()
    page.get_by_text("Your second factor counts from now on").wait_for()
    assert TOTPDevice.objects.get().confirmed


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_no_page_is_wider_than_the_screen(
    house: World, live_server: object, browser: Browser, viewport: dict[str, int]
) -> None:
    base = str(live_server)
    transfer = house.request(house.account(), house.fund(), 1_000_000)
    house.run()
    draft = draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=MAKER)
    asked = approvals.propose(proposal=Proposal(ACTIVATE, draft.pk), actor=MAKER)
    page = signed_in(browser, base, Role.MAKER, viewport)
    failures: list[str] = []
    page.on("pageerror", lambda error: failures.append(str(error)))
    for url in (
        "/admin/",
        "/admin/transfers/transfer/",
        f"/admin/transfers/transfer/{transfer.pk}/change/",
        f"/admin/transfers/transfer/{transfer.pk}/case/",
        "/admin/transfers/work/open/",
        f"/admin/funds/fund/{transfer.fund_id}/change/",
        "/admin/events/event/",
        "/admin/approvals/approval/",
        f"/admin/approvals/approval/{asked.pk}/change/",
        "/admin/funds/ruleparameters/rules/",
        "/admin/funds/ruleparameters/rules/velocity/",
        "/admin/funds/ruleparameters/rules/velocity/draft/",
        f"/admin/funds/ruleparameters/replay/?draft={draft.pk}&begins=2026-01-01&ends=2027-01-01",
        f"/admin/funds/closing/of/{transfer.fund_id}/?plan=settle",
        "/admin/transfers/floatmovement/float/",
        "/admin/transfers/floatmovement/float/put-in/?currency=USD",
        "/admin/transfers/receipt/",
        "/admin/second-factor/",
    ):
        answer = page.goto(base + url)
        assert answer is not None
        assert answer.status == 200
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], url
    assert failures == []


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_references_and_amounts_are_on_the_screen(
    house: World, live_server: object, browser: Browser, viewport: dict[str, int]
) -> None:
    base = str(live_server)
    transfer = house.request(house.account(), house.fund(), 1_000_000)
    house.run()
    page = signed_in(browser, base, Role.MAKER, viewport)
    page.goto(f"{base}/admin/transfers/bankinstruction/")
    cells = page.locator("#result_list td.field-reference, #result_list td.field-sent").all()
    assert len(cells) == 4
    for cell in cells:
        assert cell.evaluate(IN_SIGHT), cell.inner_text()
    page.goto(f"{base}/admin/transfers/transfer/{transfer.pk}/change/")
    cells = page.locator(".bridge-table--stacks td").all()
    assert len(cells) > 10
    for cell in cells:
        assert cell.evaluate(IN_SIGHT), cell.inner_text()
        assert viewport == DESK or not cell.evaluate("cell => getComputedStyle(cell).display.startsWith('table')")


def test_a_list_of_funds_shows_its_last_column_on_a_small_desk(
    house: World, live_server: object, browser: Browser
) -> None:
    base, million = str(live_server), 1_000_000_00
    house.fund(name="Harborline Buyout Partners III", hard_cap=800 * million, minimum=5 * million, kind="real_estate")
    house.fund(name="Northlight Ventures IV", hard_cap=600 * million, minimum=25_000_00)
    late = house.fund(name="Aldersgate Founders Fund", hard_cap=80 * million)
    Fund.objects.filter(pk=late.pk).update(closes_at=late.created_at)
    page = signed_in(browser, base, Role.MAKER, DESK)
    page.goto(f"{base}/admin/funds/fund/")
    page.get_by_text("closing date passed").wait_for()
    edge = page.locator("#result_list").evaluate("row => row.parentElement.getBoundingClientRect().right")
    for cell in page.locator("#result_list td.field-closes").all():
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= edge + 1


def test_a_checker_reads_and_approves_a_rule_change(house: World, live_server: object, browser: Browser) -> None:
    base = str(live_server)
    draft = draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=MAKER)
    approvals.propose(proposal=Proposal(ACTIVATE, draft.pk), actor=MAKER)
    page = signed_in(browser, base, Role.CHECKER, DESK)
    page.get_by_text("For you to decide").click()
    page.get_by_text(f"Activate velocity #{draft.number} for all funds").click()
    page.get_by_text("You may decide.").wait_for()
    page.locator(".bridge-verbs").get_by_role("link", name="Approve").click()
    page.get_by_role("button", name="Yes, approve").click()
    page.get_by_text("Approved.", exact=True).wait_for()
    draft.refresh_from_db()
    assert draft.state == "active"
