"""The page of `kandinsky serve`, in a browser. Needs Debian's chromium."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from support.serving import DEMO, serving

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """Anything that the browser complains about is a failure."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    assert chromium, "this test needs chromium (Debian: apt-get install chromium)"
    with serving(DEMO) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.url)
        yield page
        browser.close()
        assert complaints == []


def test_an_image_is_generated_and_a_mistake_shown(page: Page) -> None:
    expect(page.locator("#model")).to_have_text("kandinsky-demo")
    page.fill("[name=prompt]", "a red circle")
    for name, value in (("width", 64), ("height", 64), ("num_inference_steps", 2), ("seed", 1)):
        page.fill(f"[name={name}]", str(value))
    page.select_option("[name=sampler]", "Euler a")
    page.click("summary")
    page.fill("[name=prior_num_inference_steps]", "2")
    page.click("#generate")
    expect(page.locator("#images pre")).to_contain_text("Sampler: Euler a", timeout=60_000)
    assert page.locator("#images img").evaluate("image => image.naturalWidth") == 64

    page.fill("[name=guidance_start]", "0.9")
    page.fill("[name=guidance_end]", "0.1")
    page.click("#generate")
    expect(page.locator("#error")).to_contain_text("guidance", timeout=60_000)


def test_a_long_job_is_cancelled(page: Page) -> None:
    page.fill("[name=guidance_start]", "")
    page.fill("[name=guidance_end]", "")
    page.fill("[name=num_inference_steps]", "999")
    page.click("#generate")
    expect(page.locator("#preview")).to_be_visible(timeout=60_000)
    page.click("#cancel")
    expect(page.locator("#error")).to_contain_text("cancelled", timeout=60_000)
