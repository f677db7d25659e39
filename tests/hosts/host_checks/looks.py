"""How the page looks: light, dark, narrow, as on a phone, and in Russian."""

from __future__ import annotations

import json
import re

from asking import of_the_api
from browser import ID, Browser
from checking import Checks, require, same
from playwright.sync_api import expect

by_api, on_page = Checks(), Checks()

OFFLINE = "HF_HUB_OFFLINE is set, so nothing is downloaded: unset it first"
OVERLAPS = """panel => {
  const shown = [...panel.querySelectorAll("label > span, input, button, p")]
    .map(one => [one, one.getBoundingClientRect()])
    // What lies on an image is gradio's.
    .filter(([one, box]) => one.offsetParent && box.width > 0 && !one.closest(".gradio-image"));
  const edge = panel.getBoundingClientRect(), wrong = [];
  for (const button of panel.querySelectorAll("[id$=_refresh].tool")) {
    const field = panel.querySelector("#" + button.id.replace(/_refresh$/, "") + " input");
    if (!button.offsetParent || !field) continue;
    const a = button.getBoundingClientRect(), b = field.getBoundingClientRect();
    const isLevel = a.top < b.bottom && b.top < a.bottom;
    const isNext = a.left >= b.right && a.left < b.right + 60;
    if (!isLevel || !isNext) wrong.push(button.id + " is not beside its field");
  }
  for (const label of panel.querySelectorAll(".kandinsky-slider label > span")) {
    const line = parseFloat(getComputedStyle(label).lineHeight);
    const lines = label.getBoundingClientRect().height / line;
    if (label.offsetParent && lines > 2.5) wrong.push(label.innerText + " has three lines");
  }
  for (const cell of panel.querySelectorAll(".kandinsky-models td:not(:first-child)")) {
    const text = document.createRange();
    text.selectNodeContents(cell);
    const line = parseFloat(getComputedStyle(cell).lineHeight);
    const isBroken = text.getBoundingClientRect().height > 1.5 * line;
    if (cell.offsetParent && isBroken) wrong.push(cell.innerText + " has two lines");
  }
  const field = panel.querySelector(".kandinsky-get input");
  const buttons = [...panel.querySelectorAll(".kandinsky-get > button")];
  buttons.map(one => one.getBoundingClientRect()).forEach((a, at, all) => {
    if (!buttons[at].offsetParent) return;
    const b = field.getBoundingClientRect(), c = all[at + 1];
    const isBeside = a.left >= b.right && a.top < b.bottom && b.top < a.bottom;
    // As on a phone, not all have room there.
    const isBelow = edge.width < 500 && a.top >= b.bottom && a.top < b.bottom + 60;
    if (!isBeside && !isBelow) wrong.push(buttons[at].innerText + " is away from its field");
    if (c && c.top === a.top && c.left < a.right + 4)
      wrong.push(buttons[at].innerText + " touches the next button");
  });
  const name = one => (one.innerText || one.id || one.outerHTML).slice(0, 60);
  shown.forEach(([one, a], at) => {
    if (a.left < edge.left - 1 || a.right > edge.right + 1) wrong.push(name(one) + " sticks out");
    for (const [other, b] of shown.slice(at + 1)) {
      if (one.contains(other) || other.contains(one)) continue;
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (width > 2 && height > 2) wrong.push(name(one) + " overlaps " + name(other));
    }
  });
  return wrong;
}"""


@on_page.add
def looks(browser: Browser) -> str:
    """Light, dark and narrow: nothing sticks out, overlaps, or is away from its field; in Get
    models no size is broken and no button touches another.
    """
    usual = browser.page.viewport_size
    try:
        for name, theme, width in (
            ("light", "light", 1400),
            ("dark", "dark", 1400),
            ("narrow", "light", 700),
            ("phone", "light", 420),
        ):
            browser.page.set_viewport_size({"width": width, "height": 1800})
            browser.open(f"/?__theme={theme}")
            browser.choose_script("Kandinsky")
            browser.open_panel("mix", "mix_strength_2")
            browser.open_panel("advanced", "guidance_rescale")
            browser.open_panel("get", "get_model")
            panel = browser.one("#tab_txt2img .kandinsky-panel")
            panel.scroll_into_view_if_needed()
            browser.page.wait_for_timeout(500)
            panel.screenshot(path=str(browser.context.report / f"looks-{name}.png"))
            browser.context.kept.append(f"looks-{name}.png")
            getting = browser.one(f"{ID}get")
            getting.screenshot(path=str(browser.context.report / f"looks-get-{name}.png"))
            browser.context.kept.append(f"looks-get-{name}.png")
            wrong = [*panel.evaluate(OVERLAPS), *getting.evaluate(OVERLAPS)]
            require(not wrong, f"{name}: {'; '.join(wrong)}")
            middles = [
                box["y"] + box["height"] / 2
                for part in ("preset input", "preset_steps input")
                if (box := browser.one(f"{ID}{part}").bounding_box())
            ]
            level = abs(middles[0] - middles[1]) < 4
            require(level or name == "phone", f"{name}: preset and switch at {middles}")
    finally:
        browser.page.set_viewport_size(usual)
        browser.open()
        browser.choose_script("Kandinsky")
    return "light, dark, narrow, as on a phone"


@on_page.add
def russian_page(browser: Browser) -> str:
    """With the host's language set to Russian, labels, tooltips, the status, the notes about models
    and what keeps one from being downloaded are Russian.
    """
    context = browser.context
    # The status has most to say with an engine.
    of_the_api(context)
    russian = json.loads((context.extension / "localizations" / "ru_RU.json").read_text("utf-8"))
    for language, label in (
        ("ru_RU", russian["Prior inference steps"]),
        ("None", "Prior inference steps"),
    ):
        context.host.post("/sdapi/v1/options", {"localization": language})
        browser.reload_ui()
        browser.choose_script("Kandinsky")
        expect(browser.one(f"{ID}prior_steps")).to_contain_text(label)
        if language == "None":
            break
        status = browser.one(f"{ID}status")
        expect(status).to_contain_text("загружен")
        english = re.findall("[a-z]{3,}", status.inner_text().replace("kandinsky-demo", ""))
        require(not english, f"the status says in English: {english}")
        tooltip = browser.one(f"{ID}prior_steps").get_attribute("title")
        same(tooltip, russian[context.control("prior_steps").info], "tooltip")
        browser.one(f"{ID}get .label-wrap").click()
        for note in ("works beside", "needs the prior of"):
            expect(browser.one(f"{ID}get_table")).to_contain_text(russian[note])
        browser.one(f"{ID}get_download").click()
        # The host was started so that nothing is downloaded.
        expect(browser.one(f"{ID}get_status")).to_contain_text(russian[OFFLINE])
        browser.one(f"{ID}get").scroll_into_view_if_needed()
        browser.screenshot("russian-get-models")
        browser.one(f"{ID}get .label-wrap").click()
        browser.one(f"{ID}advanced .label-wrap").click()
        browser.page.wait_for_timeout(500)
        browser.one(f"{ID}guidance_rescale").scroll_into_view_if_needed()
        browser.screenshot("russian")
        wrong = browser.one("#tab_txt2img .kandinsky-panel").evaluate(OVERLAPS)
        require(not wrong, "; ".join(wrong))
    return "labels, a tooltip, the status, notes, an error of a download; and English again"
