"""While an image is generated: progress, preview, interrupt, skip."""

from __future__ import annotations

import itertools
import re
import threading
import time
from typing import Any

import numpy as np
from asking import of_the_api, other_script, request, require_base_again
from browser import Browser
from checking import Absent, Checks, Context, fail, require
from host import Made
from playwright.sync_api import expect

by_api, on_page = Checks(), Checks()

TWO_PASSES: dict[str, Any] = {
    "n_iter": 2,
    "enable_hr": True,
    "hr_scale": 2,
    "hr_upscaler": "None",
    "hr_second_pass_steps": 20,
    "denoising_strength": 0.6,
    "hr_cfg": 2,
    "hr_additional_modules": ["Use same choices"],
}
"""Two batches with hires. fix."""


class _Background:
    """A request that goes on while others are made."""

    def __init__(self, context: Context, **values: Any) -> None:
        self._context = context
        self._body = request(context, **values)
        self.made: Made | None = None
        self.error: Exception | None = None
        self._step_seconds = 0.0
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        try:
            self.made = self._context.host.generate(self._body)
        except Exception as error:  # told where the result is asked for
            self.error = error

    def progress(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._context.host.get("/sdapi/v1/progress")
        return answer

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def seconds_for(self, steps: int) -> float:
        """How long so many steps take, by those seen so far."""
        return steps * self._step_seconds

    def wait_for_steps(self, steps: int = 20, timeout: float = 300) -> None:
        began = time.monotonic()
        end = began + timeout
        while self.progress()["state"]["sampling_step"] < steps:
            require(time.monotonic() < end, f"no {steps} steps within {timeout:.0f} s")
            require(self._thread.is_alive(), f"it ended: {self.error}")
            time.sleep(0.05)
        self._step_seconds = (time.monotonic() - began) / steps

    def result(self, timeout: float) -> Made:
        self._thread.join(timeout)
        require(not self._thread.is_alive(), f"still at work {timeout:.0f} s later")
        if self.made is None:
            fail(str(self.error))
        return self.made


@by_api.add
def progress_and_preview(context: Context) -> str:
    """While it generates, progress grows and there is a preview."""
    context.host.post(
        "/sdapi/v1/options", {"live_previews_enable": True, "show_progress_every_n_steps": 1}
    )
    job = _Background(context, steps=400)
    seen, previews = [], 0
    try:
        job.wait_for_steps(1)
        for _ in range(200):
            answer = job.progress()
            seen.append(answer["progress"])
            previews += answer["current_image"] is not None
            if previews and len(set(seen)) > 4:
                break
            time.sleep(0.1)
    finally:
        context.host.post("/sdapi/v1/interrupt")
        job.result(60)
    require(len(set(seen)) > 4, f"progress said {seen}")
    require(seen == sorted(seen) and seen[-1] <= 1, f"progress went back: {seen}")
    require(previews > 0, "no preview")
    return f"{seen[0]:.3f} to {seen[-1]:.3f}, {previews} previews"


@by_api.add
def progress_never_goes_back(context: Context) -> str:
    """Not in two batches with hires. fix either, whose passes have other numbers of steps."""
    job = _Background(context, **TWO_PASSES, steps=60)
    seen = []
    while job.running:
        seen.append(job.progress()["progress"])
        time.sleep(0.02)
    job.result(60)
    # The host says 0 before it has begun, and after it has ended.
    seen = [value for value in seen if value > 0]
    back = [(a, b) for a, b in itertools.pairwise(seen) if b < a]
    require(len(set(seen)) > 10, f"progress said {seen}")
    require(not back, f"progress went back: {back}")
    return f"{len(seen)} answers, {seen[0]:.3f} to {seen[-1]:.3f}"


@by_api.add
def interrupt(context: Context) -> str:
    """An interrupted run ends at once with what there is; the next is whole again."""
    job = _Background(context, steps=900)
    job.wait_for_steps()
    began = time.monotonic()
    context.host.post("/sdapi/v1/interrupt")
    made = job.result(60)
    took = time.monotonic() - began
    # The steps that are left would take much longer, however busy the machine is.
    require(took < 0.2 * job.seconds_for(900), f"it took {took:.1f} s to stop")
    context.keep("interrupted", made.pixels)
    require_base_again(context)
    return f"{took:.2f} s"


@by_api.add
def skip(context: Context) -> str:
    """A skipped image ends; the next of the run is generated whole."""
    whole = of_the_api(context, seed=2, steps=60)
    job = _Background(context, steps=60, n_iter=2)
    job.wait_for_steps(5)
    context.host.post("/sdapi/v1/skip")
    made = job.result(300)
    require(np.array_equal(made.images[-1], whole), "the second image is not whole")
    first = of_the_api(context, steps=60)
    require(not any(np.array_equal(image, first) for image in made.images), "nothing was skipped")
    return f"{len(made.images)} images"


@by_api.add
def console_stays_quiet(context: Context) -> str:
    """A run writes one line of ours at most, and what is refused leaves no trace that names our
    files.
    """
    host, wrong = context.host, {"prior_steps": 5000}
    host.post("/kandinsky/v1/unload")
    told = {}
    for what, make in {
        "a run that loads the model": lambda: host.generate(request(context)),
        "two batches with hires. fix": lambda: host.generate(request(context, **TWO_PASSES)),
        "under another script": lambda: host.generate(
            request(context, script=False, alwayson_scripts=other_script())
        ),
        "a value that is refused": lambda: host.refused(
            "/sdapi/v1/txt2img", request(context, **wrong)
        ),
    }.items():
        before = len(host.printed())
        make()
        lines = re.split("[\n\r]", host.printed()[before:])
        told[what] = [line for line in lines if "andinsky" in line]
        require(len(told[what]) < 2, f"{what}: {told[what]}")
        files = [line for line in told[what] if "kandinsky_ext" in line or "kandinsky.py" in line]
        require(not files, f"{what}: {files}")
    return "; ".join(f"{what}: {len(lines)}" for what, lines in told.items())


@on_page.add
def preview_and_interrupt(browser: Browser) -> str:
    """A long run shows a preview; Interrupt, pressed twice, ends it in the middle."""
    browser.as_requested()
    browser.fill_in(steps=150, batch_count=2)
    browser.one("#txt2img_generate").click()
    expect(browser.one("#txt2img_results .livePreview img")).to_be_visible(timeout=60_000)
    browser.page.wait_for_timeout(1000)
    browser.screenshot("preview")
    button = browser.one("#txt2img_interrupt, #txt2img_interrupting")
    button.click()
    second = browser.one("#txt2img_interrupting")
    if second.count() and second.is_visible():
        # Not as a mouse does: it is gone as soon as the run ends.
        second.evaluate("button => button.click()")
    browser.idle()
    require("Error" not in browser.infotext(), browser.infotext())
    browser.screenshot("interrupted-page")
    browser.fill_in(batch_count=1)
    return "a preview was seen"


@on_page.add
def interrupt_after_this_image(browser: Browser) -> str:
    """Interrupt, pressed once, lets the image at work be finished and begins no other."""
    host = browser.context.host
    usual = host.get("/sdapi/v1/options").get("interrupt_after_current")
    if usual is None:
        raise Absent("this host interrupts in the middle only")
    host.post("/sdapi/v1/options", {"interrupt_after_current": True})
    browser.as_requested()
    browser.fill_in(steps=60, batch_count=6)
    browser.one("#txt2img_generate").click()
    expect(browser.one("#txt2img_results .livePreview img")).to_be_visible(timeout=60_000)
    browser.one("#txt2img_interrupt").click()
    browser.idle()
    browser.page.wait_for_timeout(500)
    host.post("/sdapi/v1/options", {"interrupt_after_current": usual})
    # An image may be there more than once: large, and small below.
    images = browser.page.locator("#txt2img_gallery img")
    count = len(set(images.evaluate_all("images => images.map(one => one.src)")))
    browser.screenshot("stopped")
    browser.fill_in(batch_count=1)
    require(0 < count < 6, f"{count} images in the gallery")
    return f"{count} images in the gallery, of a grid and 6"
