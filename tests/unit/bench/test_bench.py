"""What a run keeps of earlier ones, and what it does not stand beside."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import bench
import pytest
from samples import Measurements, Part, Result

Bench = Callable[..., Measurements]


@pytest.fixture
def pretended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Runs main() with these options; only these parts are measured, by nobody."""

    @contextlib.contextmanager
    def crew(_: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(versions=lambda: {"engine": {"kandinsky_engine": "9.8.7"}})

    monkeypatch.setattr(bench, "crew", crew)
    monkeypatch.setattr(bench, "measure_rates", lambda _: {})
    monkeypatch.setattr(bench, "model_folder", lambda _: (tmp_path, "model m"))
    index = tmp_path / "model_index.json"
    index.write_text('{"_class_name": "KandinskyPipeline"}')

    def run(*options: str, commit: str = "abc1234", **seconds: float | None) -> Measurements:
        parts = [
            Part(name, name, results={} if value is None else {"engine": Result([value])})
            for name, value in seconds.items()
        ]
        monkeypatch.setattr(bench, "run", lambda *_: iter(parts))
        monkeypatch.setattr(bench, "commit", lambda: commit)
        status = bench.main(["--output", str(tmp_path), *options])
        assert status == (0 if any(seconds.values()) else 1)
        return Measurements.load(tmp_path / "bench.json")

    return run


def test_parts_of_earlier_runs_keep_their_commit(pretended: Bench) -> None:
    pretended(text=1.0, prior=2.0)
    found = pretended(commit="def5678", prior=3.0)
    assert found.median("text", "engine") == 1.0
    assert found.median("prior", "engine") == 3.0
    assert {name: part.commit for name, part in found.parts.items()} == {
        "text": "abc1234",
        "prior": "def5678",
    }


@pytest.mark.parametrize(
    "options", [["--without", "winograd"], ["--precision", "fp32"], ["--threads", "1"]]
)
def test_runs_with_other_options_do_not_mix(pretended: Bench, options: list[str]) -> None:
    pretended(text=1.0)
    with pytest.raises(SystemExit, match=f'text was .* no options, .* "{" ".join(options)}"'):
        pretended(*options, prior=2.0)
    found = pretended(*options, "--fresh", prior=2.0)
    assert list(found.parts) == ["prior"]
    assert found.parts["prior"].options == " ".join(options)
    assert set(pretended(*options, text=3.0).parts) == {"text", "prior"}
    with pytest.raises(SystemExit, match="this run is with no options; --fresh or another"):
        pretended(text=1.0)


def test_families_do_not_mix(pretended: Bench, tmp_path: Path) -> None:
    assert pretended(text=1.0).family == "2.1"
    (tmp_path / "model_index.json").write_text('{"_class_name": "KandinskyV22Pipeline"}')
    with pytest.raises(SystemExit, match="is of another machine or model; --fresh"):
        pretended(text=1.0)
    assert pretended("--fresh", text=1.0).family == "2.2"


def test_the_order_of_what_is_left_out_does_not_matter(pretended: Bench) -> None:
    pretended("--without", "a", "--without", "b", text=1.0)
    pretended("--without", "b", "--without", "a", "--without", "b", prior=1.0)


def test_what_nobody_could_measure_replaces_nothing(
    pretended: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    pretended(text=1.0)
    assert pretended(text=None).median("text", "engine") == 1.0
    assert "nothing was measured" in capsys.readouterr().err
