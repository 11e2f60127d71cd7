"""Tests of Chrome's pages: isolation, restrictions, visibility, and the errors and events that reach Python."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Error, sync_playwright

from harness.browser.chrome import launch_options
from harness.browser.locate import locate
from tests.expectations.site import ISOLATED

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.expectations.site import Site

pytestmark = pytest.mark.parallel

STRICT = {"Content-Security-Policy": "default-src 'none'; script-src 'self'; worker-src 'self'"}
# Creates a module worker; resolves with its first message, or with "refused".
WORKER = """(address) => new Promise((resolve) => {
    const worker = new Worker(address, { type: "module" });
    worker.addEventListener("message", ({ data }) => resolve(data));
    worker.addEventListener("error", () => resolve("refused"));
})"""


def test_fact_08_a_headless_page_in_the_background_continues_to_draw(page: Page) -> None:
    """Fact 8: when another page is in front, a Playwright page still counts as visible and continues to draw."""
    page.context.new_page().bring_to_front()

    state = page.evaluate(
        """async () => {
            let frames = 0;
            requestAnimationFrame(function draw() {
                frames += 1;
                requestAnimationFrame(draw);
            });
            await until(() => frames > 10);
            return document.visibilityState;
        }"""
    )

    assert "visible" == state


@pytest.mark.parametrize(
    ("thrown", "message"),
    [
        ("new DOMException('no such device', 'NotFoundError')", "NotFoundError: no such device"),
        ("Object.assign(new Error('not in a room'), {name: 'InvalidStateError', code: 10454})", "not in a room"),
    ],
    ids=["DOMException", "error"],
)
def test_fact_22_an_exception_that_crosses_to_python_loses_its_name(page: Page, thrown: str, message: str) -> None:
    """Fact 22: The error that Python receives from Playwright is always named Error and contains no error code."""
    with pytest.raises(Error) as caught:
        page.evaluate(f"() => {{ throw {thrown}; }}")

    assert "Error" == caught.value.name
    assert message in caught.value.message
    assert "10454" not in caught.value.message


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can't have a sandbox.")
def test_fact_24_root_cannot_use_the_sandbox(browser: Browser, browser_type_launch_args: dict[str, Any]) -> None:
    """Fact 24: as root, Chrome starts only with --no-sandbox."""
    with pytest.raises(Error, match="no-sandbox is not supported"):
        browser.browser_type.launch(**{**browser_type_launch_args, "chromium_sandbox": True})


def test_fact_25_a_crashed_page_is_not_closed(page: Page) -> None:
    """Fact 25: Playwright reports a page crash only as an event. is_closed() stays False, but calls fail."""
    with page.expect_event("crash"), pytest.raises(Error):
        page.goto("chrome://crash")

    assert not page.is_closed()
    with pytest.raises(Error, match="crashed"):
        page.evaluate("1")


def test_fact_28_a_csp_without_eval_breaks_wait_for_function(page: Page, site: Site) -> None:
    """Fact 28: under a CSP without eval, wait_for_function can't repeat an expression (EvalError); functions work."""
    page.goto(site.serve("/strict", "<!doctype html>", STRICT))
    # The condition must be false at first, because Playwright's first check uses evaluate, which works under every CSP.
    later = "(window.checks = (window.checks ?? 0) + 1) > 1"

    with pytest.raises(Error, match="EvalError"):
        page.wait_for_function(later)

    page.evaluate("window.checks = 0")
    page.wait_for_function(f"() => {later}")


def test_fact_29_a_module_worker_needs_its_own_origin_and_headers(page: Page, site: Site) -> None:
    """Fact 29: worker-src 'self' blocks workers from blobs; isolated pages reject workers without isolation headers."""
    page.goto(site.serve("/strict", "<!doctype html>", ISOLATED | STRICT))
    site.serve("/part.js", "export const answer = 'works';", ISOLATED)
    module = "import { answer } from './part.js'; postMessage(answer);"
    own = site.serve("/own.js", module, ISOLATED | STRICT)
    bare = site.serve("/bare.js", module, STRICT)
    blob = page.evaluate("URL.createObjectURL(new Blob(['postMessage(1)'], { type: 'text/javascript' }))")

    answers = [page.evaluate(WORKER, address) for address in (own, bare, blob)]

    assert ["works", "refused", "refused"] == answers


def test_fact_34_blobs_stay_until_garbage_is_collected(page: Page) -> None:
    """Fact 34: large blobs don't trigger garbage collection, but --js-flags=--expose-gc lets the page request it."""
    left = page.evaluate(
        """async () => {
            const blobs = Array.from({ length: 40 }, () => new WeakRef(new Blob([new Uint8Array(1_000_000)])));
            const alive = () => blobs.filter((blob) => blob.deref()).length;
            await new Promise((resolve) => setTimeout(resolve, 500));
            const before = alive();
            await new Promise((resolve) => setTimeout(resolve));
            await gc({ type: 'major', execution: 'async' });
            return [before, alive()];
        }"""
    )

    assert [40, 0] == left


def test_fact_49_a_large_allocation_makes_chrome_collect_garbage(bare_page: Page) -> None:
    """Fact 49: without our switches, each thread frees unreferenced blobs after a single allocation of 64 MB."""
    script = """async (allocate) => {
        const whole = new Blob([new Uint8Array(1_000_000)]);
        const blobs = Array.from({ length: 40 }, () => new WeakRef(whole.slice(1)));
        const alive = () => blobs.filter((blob) => blob.deref()).length;
        const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
        await pause();
        const before = alive();
        await pause();
        if (allocate) new ArrayBuffer(64 * 1024 * 1024);
        for (let tries = 0; tries < (allocate ? 100 : 10) && alive(); tries += 1) await pause();
        return [typeof gc, before, alive()];
    }"""
    in_worker = f"""(allocate) => new Promise((resolve) => {{
        const text = `({script})(${{allocate}}).then((found) => postMessage(found))`;
        const worker = new Worker(URL.createObjectURL(new Blob([text], {{ type: 'text/javascript' }})));
        worker.addEventListener('message', ({{ data }}) => resolve(data));
    }})"""

    for place in (script, in_worker):
        assert ["undefined", 40, 40] == bare_page.evaluate(place, False)  # noqa: FBT003 - the script's argument
        assert ["undefined", 40, 0] == bare_page.evaluate(place, True)  # noqa: FBT003 - the script's argument


@pytest.mark.own_thread
def test_fact_32_shared_memory_needs_an_isolated_page_or_a_switch(site: Site) -> None:
    """Fact 32: SharedArrayBuffer (for Atomics.waitAsync) requires COOP and COEP headers or a Chrome switch."""
    shared = "typeof SharedArrayBuffer"
    isolated = site.serve("/isolated", "<!doctype html>", ISOLATED)
    anywhere = site.serve("/open", "<!doctype html>", {})
    with sync_playwright() as playwright:
        options = launch_options(locate(bundled=playwright.chromium.executable_path))
        found = []
        for without in ("--no-such-switch", "--enable-blink-features"):
            kept = [argument for argument in options["args"] if not argument.startswith(without)]
            browser = playwright.chromium.launch(**{**options, "args": kept})
            page = browser.new_page()
            for url in (isolated, anywhere):
                page.goto(url)
                found.append((page.evaluate(shared), page.evaluate("crossOriginIsolated")))
            browser.close()

    assert [("function", True), ("function", False), ("function", True), ("undefined", False)] == found


def test_fact_48_a_resource_loaded_over_cdp_shows_whether_the_browser_reaches_it(
    bare_chrome: Browser, site: Site
) -> None:
    """Fact 48: loading a resource over CDP works from an empty page, despite routes and the offline mode."""
    context = bare_chrome.new_context(offline=True)
    context.route("**/*", lambda route: route.abort())
    session = context.new_cdp_session(context.new_page())
    frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
    options = {"disableCache": True, "includeCredentials": False}

    served, refused = (
        session.send("Network.loadNetworkResource", {"frameId": frame, "url": url, "options": options})["resource"]
        for url in (site.url, "http://127.0.0.1:2/")
    )

    assert 200 == served["httpStatusCode"]
    assert "net::ERR_CONNECTION_REFUSED" == refused["netErrorName"]
    context.close()


def test_fact_40_a_download_link_fires_beforeunload(page: Page, site: Site) -> None:
    """Fact 40: unless a download link opens a new window, it fires `beforeunload`, which makes applications hang up."""
    page.goto(site.serve("/left", "<!doctype html>", {}))
    address = site.serve("/file", "bytes", {"Content-Disposition": "attachment"}).replace("127.0.0.1", "localhost")
    script = """([href, target]) => new Promise((resolve) => {
      addEventListener('beforeunload', () => resolve('left'), { once: true });
      const link = Object.assign(document.createElement('a'), { href, target, download: 'file' });
      document.body.append(link);
      link.click();
      setTimeout(() => resolve('here'), 1000);
    })"""

    outcomes = []
    for target in ("", "_blank"):
        with page.expect_download():
            outcomes.append(page.evaluate(script, [address, target]))

    assert ["left", "here"] == outcomes
