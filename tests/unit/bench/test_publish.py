"""Numbers reach documents through markers only."""

from pathlib import Path

import publish
import pytest
from samples import Measurements

PUBLISHED = sorted(path.name for path in (publish.ROOT / "docs/performance").glob("bench*.json"))
PAGE = "# Title\n<!-- bench: a -->\nold\n<!-- /bench -->\n<!-- bench: b -->\n<!-- /bench -->\nend\n"


def test_only_the_named_place_is_filled() -> None:
    text = publish.fill(PAGE, "b", "| new |\n")
    assert text == PAGE.replace("<!-- bench: b -->\n", "<!-- bench: b -->\n| new |\n")
    assert publish.fill(PAGE, "a", "new") == PAGE.replace("old", "new")


def test_filling_again_replaces() -> None:
    once = publish.fill(PAGE, "a", "first")
    assert publish.fill(once, "a", "second") == publish.fill(PAGE, "a", "second")


@pytest.mark.parametrize("text", ["", PAGE + PAGE, "<!-- bench: a -->\nno end\n"])
def test_a_place_that_is_missing_or_unclear_is_refused(text: str) -> None:
    with pytest.raises(publish.MarkerError, match="bench: a"):
        publish.fill(text, "a", "new")


def test_the_projects_own_documents_have_their_places(
    found: Measurements, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/performance.md"):
        (tmp_path / name).write_text((root / name).read_text(encoding="utf-8"), encoding="utf-8")
    source = tmp_path / "bench.json"
    found.save(source)
    monkeypatch.setattr(publish.growth, "draw", lambda _, path: path.write_bytes(b"drawn"))
    publish.publish(found, source, tmp_path)
    page = (tmp_path / "docs/performance.md").read_text(encoding="utf-8")
    assert "| title of unet-512 | 4.00 s |" in page
    assert "- UNet step by megapixels: exponent" in page
    assert "](performance/growth.png)" in page
    assert (tmp_path / "docs/performance/growth.png").read_bytes() == b"drawn"
    assert "| title of unet-512 | 4.00 s |" in (tmp_path / "README.md").read_text(encoding="utf-8")
    assert Measurements.load(tmp_path / "docs/performance/bench.json") == found


@pytest.mark.parametrize("samples", PUBLISHED)
def test_the_documents_tell_what_the_last_bench_measured(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: str
) -> None:
    names = ("README.md", "docs/performance.md")
    (tmp_path / "docs").mkdir()
    for name in names:
        (tmp_path / name).write_text((root / name).read_text(encoding="utf-8"), encoding="utf-8")
    source = root / "docs/performance" / samples
    monkeypatch.setattr(publish.growth, "draw", lambda *_: None)
    publish.publish(Measurements.load(source), source, tmp_path)
    published = tmp_path / "docs/performance" / samples
    assert published.read_bytes() == source.read_bytes()
    # From what is published the same again, and nothing is drawn.
    monkeypatch.setattr(publish.growth, "draw", lambda *_: pytest.fail("drawn"))
    publish.publish(Measurements.load(published), published, tmp_path)
    for name in names:
        assert (tmp_path / name).read_text(encoding="utf-8") == (root / name).read_text("utf-8")


def test_another_family_has_a_table_of_its_own(
    found: Measurements, root: Path, tmp_path: Path
) -> None:
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/performance.md"
    before = (root / "docs/performance.md").read_text(encoding="utf-8")
    page.write_text(before, encoding="utf-8")
    found.family = "2.2"
    source = tmp_path / "bench.json"
    found.save(source)
    publish.publish(found, source, tmp_path)
    kept, _, rest = page.read_text(encoding="utf-8").partition("<!-- bench: report 2.2 -->")
    assert kept == before.partition("<!-- bench: report 2.2 -->")[0]
    assert "| title of unet-512 | 4.00 s |" in rest
    assert "; Kandinsky 2.2, random weights of full size." in rest
    assert "| UNet guided step, 768 px / diffusers fp32 | ≤ 0.2 | - | not measured |" in rest
    assert not (tmp_path / "README.md").exists()
    assert [path.name for path in (tmp_path / "docs/performance").iterdir()] == ["bench-2.2.json"]
    assert Measurements.load(tmp_path / "docs/performance/bench-2.2.json") == found


def published_elsewhere(found: Measurements, root: Path, tmp_path: Path, name: str) -> str:
    """The section that the measurements go to, with samples of their own and nothing else."""
    (tmp_path / "docs").mkdir()
    page = tmp_path / "docs/performance.md"
    page.write_text((root / "docs/performance.md").read_text(encoding="utf-8"), encoding="utf-8")
    source = tmp_path / "bench.json"
    found.save(source)
    publish.publish(found, source, tmp_path)
    samples = [path.name for path in (tmp_path / "docs/performance").iterdir()]
    assert samples == [f"bench-{name}.json"]
    return page.read_text(encoding="utf-8").partition(f"<!-- bench: report {name} -->")[2]


def test_a_machine_that_is_faster_in_fp32_has_a_table_of_its_own(
    found: Measurements, root: Path, tmp_path: Path
) -> None:
    found.rates = {"convolution bf16": 1.6e11, "convolution fp32": 2.6e11}
    found.machine["flags"] = ["avx512_bf16", "amx_bf16"]
    section = published_elsewhere(found, root, tmp_path, "fp32")
    assert "diffusers, fp32, channels-last" in section
    assert "| UNet guided step, 512 px / compiled | ≤ 0.45 | - | not measured |" in section


def test_a_machine_with_amx_has_a_table_of_its_own(
    found: Measurements, root: Path, tmp_path: Path
) -> None:
    found.machine["flags"] = ["avx512_bf16", "amx_bf16"]
    section = published_elsewhere(found, root, tmp_path, "amx")
    assert "avx512_bf16, amx_bf16; kandinsky_engine" in section
    assert "| UNet guided step, 512 px / compiled | ≤ 0.85 |" in section


def test_without_growth_there_is_no_image(found: Measurements) -> None:
    found.parts = {"unet-512": found.parts["unet-512"]}
    assert "growth.png" not in publish.growth_section(found)
