"""What the checks of real hosts read from sources, and what they hold against it."""

from textwrap import dedent

import pytest
from signatures import Call, differs, does_not_bind, stand_in, used
from stand_in_own import real_name


def parameter(name, kind="POSITIONAL_OR_KEYWORD", optional=False):
    return {"name": name, "kind": kind, "optional": optional}


REAL = [parameter("p"), parameter("x"), parameter("steps", optional=True)]


def written(folder, text, name="some.py"):
    (folder / name).write_text(dedent(text))
    return folder


def test_names_and_calls_of_the_host(tmp_path):
    source = """
        from modules import shared, processing as loop
        from modules.api.api import decode
        import json

        def work(p, *rest):
            shared.opts.set("key", 1, is_api=True)
            decode(p)
            json.dumps(shared.state.textinfo)
            return loop.process_images(*rest)
    """
    uses = used(written(tmp_path, source))
    places = uses.places
    assert places["modules.shared.state.textinfo"] == "some.py:9"
    assert set(places) >= {"modules.processing.process_images", "modules.api.api.decode"}
    assert not any("json" in name for name in places)
    assert uses.optional == set()
    assert uses.calls == [
        Call("modules.shared.opts.set", "some.py:7", 2, ("is_api",)),
        Call("modules.api.api.decode", "some.py:8", 1, ()),
    ]


def test_what_not_every_host_has(tmp_path):
    source = """
        try:
            from modules.sd_hijack import model_hijack
        except ImportError:
            model_hijack = None
        from modules import shared
    """
    assert used(written(tmp_path, source)).optional == {"modules.sd_hijack.model_hijack"}


@pytest.mark.parametrize(
    ("positional", "keywords", "reason"),
    [
        (2, (), None),
        (3, (), None),
        (1, ("x",), None),
        (4, (), "takes 3 positional arguments, not 4"),
        (2, ("sampler",), "has no parameter sampler"),
        (1, (), "wants x, too"),
    ],
)
def test_a_call_binds_or_says_why_not(positional, keywords, reason):
    assert does_not_bind(Call("f", "here", positional, keywords), REAL) == reason


def test_a_call_binds_to_what_takes_anything():
    anything = [parameter("args", "VAR_POSITIONAL"), parameter("kwargs", "VAR_KEYWORD")]
    assert does_not_bind(Call("f", "here", 5, ("a",)), anything) is None


@pytest.mark.parametrize(
    ("ours", "difference"),
    [
        (["p", "x", "steps"], None),
        (["p", "x"], None),
        (["p"], "x missing here"),
        (["x", "p"], "(x, p) here, (p, x, steps) there"),
        (["p", "x", "steps", "more"], "(p, x, steps, more) here, (p, x, steps) there"),
    ],
)
def test_parameters_differ_or_not(ours, difference):
    assert differs(ours, REAL) == difference


def test_the_stand_ins_functions_and_methods(tmp_path):
    (tmp_path / "api").mkdir()
    written(
        tmp_path,
        "class A:\n    def b(self, c, *, d):\n        pass\n\n    def _e(self):\n        pass\n",
        "one.py",
    )
    written(tmp_path, "def f(x, y=1):\n    pass\n", "api/two.py")
    assert dict(stand_in(tmp_path)) == {
        "one.A": [],
        "one.A.b": ["self", "c"],
        "api.two.f": ["x", "y"],
    }


@pytest.mark.parametrize(
    ("name", "kind", "real"),
    [
        ("processing.process_images", "A1111", "processing.process_images"),
        ("shared.State.begin", "A1111", "shared_state.State.begin"),
        ("processing.saved", "A1111", None),
        ("sd_hijack.ModelHijack.apply_circular", "Forge Neo", None),
        (
            "sd_hijack.ModelHijack.apply_circular",
            "reForge",
            "sd_hijack.StableDiffusionModelHijack.apply_circular",
        ),
    ],
)
def test_where_a_host_has_what_the_stand_in_has(name, kind, real):
    assert real_name(name, kind) == real
