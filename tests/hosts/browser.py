"""Chromium on a host's page."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from asking import PROMPT, SIZE, STEPS, of_the_api
from checking import Context, require
from host import READY, RESTARTING
from PIL import Image
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Locator, Page, expect, sync_playwright

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
ID = "#script_txt2img_kandinsky_"
"""The host's prefix for a script that is in both tabs."""


@dataclass
class Browser:
    """The host's page, and what went wrong on it."""

    context: Context
    page: Page
    errors: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> None:
        self.page.goto(self.context.host.url + query)
        self.page.locator("#txt2img_generate").wait_for(timeout=120_000)
        # The host's own scripts finish the page some time after it is there.
        self.page.locator(f"{ID}prior_steps").wait_for(state="attached", timeout=60_000)
        self.page.wait_for_timeout(2000)

    def open_tab(self, name: str) -> None:
        label = re.compile(rf"^\s*{name}\s*$", re.IGNORECASE)
        self.page.locator("#tabs button").filter(has_text=label).first.click()

    def reload_ui(self) -> None:
        """Presses "Reload UI" in the settings and waits until the page is there again."""
        host, timeout = self.context.host, self.context.boot_timeout
        begun, ready = (host.printed().count(word) for word in (RESTARTING, READY))

        def pause() -> None:
            # Not asleep: the page's requests go through this process.
            self.page.wait_for_timeout(500)

        self.open_tab("Settings")
        # The page it leads to is not there yet.
        self.one("#settings_restart_gradio").click(no_wait_after=True)
        host.wait_until_said(RESTARTING, begun + 1, timeout, pause)
        # The host's own script would load the page a second time, under our hands.
        self.page.goto("about:blank")
        host.wait_until_said(READY, ready + 1, timeout, pause)
        self.open()

    def screenshot(self, name: str) -> None:
        self.page.screenshot(path=str(self.context.report / f"{name}.png"))
        self.context.kept.append(f"{name}.png")

    def one(self, selector: str) -> Locator:
        return self.page.locator(selector).first

    def set_number(self, elem_id: str, value: float) -> None:
        box = self.one(f"#{elem_id} input[type=number]")
        box.fill(str(value))
        box.press("Tab")

    def set_control(self, name: str, value: float) -> None:
        """A number of ours in txt2img."""
        self.set_number(f"{ID[1:]}{name}", value)

    def pick(self, dropdown: str, word: str, tries: int = 8) -> None:
        box = self.one(f"{dropdown} input")
        option = self.page.locator("ul.options li, ul.options [role=option]").filter(
            has_text=re.compile(rf"^\W*{re.escape(word)}\W*$")
        )
        for _ in range(tries):
            box.click()
            # A list that is open does not change when its words are read anew.
            with suppress(PlaywrightError):
                option.first.click(timeout=3000)
                break
            box.press("Tab")
        expect(box).to_have_value(word, timeout=5000)

    def choose(self, name: str, word: str) -> None:
        """In a dropdown of ours in txt2img."""
        self.pick(f"{ID}{name}", word)

    def choose_script(self, name: str, tab: str = "txt2img") -> None:
        self.pick(f"#tab_{tab} #script_list", name)

    def put_image(self, slot: str, file: Path) -> None:
        self.one(f"{slot} input[type=file]").set_input_files(str(file))
        expect(self.one(f"{slot} img")).to_be_visible()

    def remove_image(self, slot: str) -> None:
        """Each gradio calls the button otherwise."""
        button = self.page.locator(f"{slot} :is([aria-label=Clear], [aria-label='Remove Image'])")
        if button.count():
            button.first.click()

    def open_panel(self, name: str, inside: str) -> None:
        """Unless it is open already, with the control of that name in it."""
        if not self.one(f"{ID}{inside}").is_visible():
            self.one(f"{ID}{name} .label-wrap").click()
        expect(self.one(f"{ID}{inside}")).to_be_visible()

    def fill_in(self, prompt: str = PROMPT, tab: str = "txt2img", **numbers: float) -> None:
        """The host's own fields."""
        self.one(f"#{tab}_prompt textarea").fill(prompt)
        given = {"width": SIZE, "height": SIZE, "steps": STEPS, "cfg_scale": 2, **numbers}
        for name, value in given.items():
            self.set_number(f"{tab}_{name}", value)
        self.one(f"#{tab}_seed input").fill("1")

    def as_requested(self, prompt: str = PROMPT) -> None:
        """Sets txt2img to what `asking.request` asks for."""
        self.open_tab("txt2img")
        self.choose_script("Kandinsky")
        self.fill_in(prompt)
        self.set_control("prior_steps", STEPS)
        self.choose("precision", "fp32")
        self.pick("#txt2img_sampling", "Euler a")

    def paste(self, text: str) -> None:
        self.one("#txt2img_prompt textarea").fill(text)
        self.one("#txt2img_tools #paste, #txt2img_tools #txt2img_paste").click()

    def whole_run(self, button: Locator, tab: str = "txt2img") -> None:
        """Presses the button, and waits for the beginning and the end of what it starts."""
        gallery = f"#{tab}_gallery img"
        images = self.page.locator(gallery)
        before = images.first.get_attribute("src") if images.count() else None
        button.click()
        # A short run on a busy machine may have come and gone.
        with suppress(AssertionError):
            expect(self.one(f"#{tab}_interrupt")).to_be_visible(timeout=10_000)
        self.idle(tab)
        if before is not None:
            # The gallery may show the image before for a moment.
            self.page.wait_for_function(
                "([one, before]) => document.querySelector(one)?.getAttribute('src') !== before",
                arg=[gallery, before],
            )

    def idle(self, tab: str = "txt2img") -> None:
        """Waits for the end of a run."""
        for button in ("interrupt", "interrupting"):
            expect(self.one(f"#{tab}_{button}")).to_be_hidden(timeout=120_000)

    def generate(self, tab: str = "txt2img") -> None:
        self.whole_run(self.one(f"#{tab}_generate"), tab)

    def file(self, tab: str = "txt2img") -> Image.Image:
        """The file of the image that a tab's gallery shows."""
        shown = self.one(f"#{tab}_gallery img")
        expect(shown).to_be_visible(timeout=60_000)
        # For some moments it has none.
        expect(shown).to_have_attribute("src", re.compile("."))
        source = shown.get_attribute("src") or ""
        answer = httpx.get(httpx.URL(self.context.host.url).join(source), trust_env=False)
        answer.raise_for_status()
        image = Image.open(io.BytesIO(answer.content))
        image.load()
        return image

    def image(self, tab: str = "txt2img") -> np.ndarray:
        """The image that the gallery shows."""
        return np.asarray(self.file(tab).convert("RGB"))

    def require_image_of_the_api(self, **values: Any) -> None:
        """The image shown is that of a request with these values."""
        same = np.array_equal(self.image(), of_the_api(self.context, **values))
        require(same, "it is not the image that the web API gives")

    def infotext(self) -> str:
        return self.one("#html_info_txt2img").inner_text()

    def value(self, elem_id: str) -> str:
        return self.one(f"#{elem_id} input[type=number]").input_value()


@contextmanager
def browser_on(context: Context) -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    require(program, "the page needs chromium (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        page = chromium.new_page(viewport={"width": 1400, "height": 1300})
        # To this machine only.
        page.route(
            lambda url: not url.startswith((context.host.url, "data:", "blob:")),
            lambda route: route.abort(),
        )
        page.set_default_timeout(120_000)
        expect.set_options(timeout=120_000)
        browser = Browser(context, page)
        page.on("pageerror", lambda error: browser.errors.append(str(error)))
        try:
            yield browser
        finally:
            chromium.close()
