"""Stopping everything by keyboard, on a desk and on a phone."""

from __future__ import annotations

import os

import pytest
from playwright.sync_api import Browser

from bridge.kernel.results import Role
from tests.browser.test_console import DESK, PHONE, browser, house, signed_in
from tests.functional.controls.proposing import put_in_force
from tests.world import HARBOR, MERIDIAN, World
from transfers.controls import circuits
from transfers.controls.stops import open_stops
from transfers.engine import drain
from transfers.parameters import Scope

pytestmark = [pytest.mark.chromium, pytest.mark.django_db(transaction=True)]
__all__ = ["browser", "house"]


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_everything_is_stopped_by_keyboard(
    house: World, live_server: object, browser: Browser, viewport: dict[str, int]
) -> None:
    base = str(live_server)
    put_in_force(Scope(institution=MERIDIAN), exposure_limit={"USD": 1_150_000}, acknowledge=600)
    house.request(house.account(), house.fund(), 1_000_000)
    drain()
    circuits.heard({HARBOR: [False] * 5})
    page = signed_in(browser, base, Role.MAKER, viewport)
    page.goto(f"{base}/admin/transfers/stop/controls/")
    button = page.get_by_role("link", name="Stop everything")
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/set/**")
    assert page.locator("select[name=scope]").input_value() == "all"
    page.locator("textarea[name=why]").focus()
    page.keyboard.type("Fraud is suspected.")
    page.get_by_role("button", name="Yes, stop").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/controls/")
    page.get_by_text("Fraud is suspected.").first.wait_for()
    assert [stop.scope for stop in open_stops()] == ["all"]
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if folder := os.environ.get("BRIDGE_TEST_PICTURES"):
        page.screenshot(path=f"{folder}/controls-{viewport['width']}.png", full_page=True)
        page.goto(f"{base}/admin/transfers/parameters/propose/?institution=meridian&rail=&fund=")
        page.screenshot(path=f"{folder}/parameters-{viewport['width']}.png", full_page=True)
    house.wait_out("finality")
