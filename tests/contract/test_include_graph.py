"""Who includes whom, as tests/support/include_graph.py says."""

from pathlib import Path

import pytest
from support import include_graph


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def test_the_sources_obey_the_table(root: Path) -> None:
    assert include_graph.violations(root) == []


def test_the_table_has_every_folder_and_no_cycle() -> None:
    table = include_graph.MAY_INCLUDE
    for folder, targets in table.items():
        assert set(targets) <= set(table)
        for target in targets:
            assert folder not in table[target], f"{folder} and {target} see each other"
    assert "samplers" not in table["nn/unet"]
    assert not any(name.startswith("nn/") for name in table["samplers"])


@pytest.mark.parametrize(
    ("source", "include", "complaint"),
    [
        ("core/base/a.cpp", '"io/file.h"', "base may not see io"),
        ("core/io/a.cpp", '"text/words.h"', "io may not see text"),
        ("core/text/a.cpp", '"tensor/weights.h"', "text may not see tensor"),
        ("core/samplers/a.cpp", '"nn/unet/unet.h"', "samplers may not see nn/unet"),
        ("core/nn/prior/a.cpp", '"nn/unet/unet.h"', "nn/prior may not see nn/unet"),
        ("core/nn/unet/a.cpp", '"text/words.h"', "nn/unet may not see text"),
        ("core/pipelines/a.cpp", '"engine/engine.h"', "pipelines may not see engine"),
        ("core/cli/main.cpp", '"io/file.h"', "cli may not see io"),
        ("bindings/src/a.cpp", '"io/file.h"', "bindings may not see io"),
        ("core/io/a.cpp", "<torch/torch.h>", "a library that io may not see"),
        ("core/text/a.cpp", "<ATen/ATen.h>", "a library that text may not see"),
        ("core/base/a.h", "<c10/core/Device.h>", "a library that base may not see"),
        ("bindings/src/a.cpp", "<torch/extension.h>", "a library that bindings may not see"),
        ("core/tensor/a.cpp", "<nlohmann/json.hpp>", "a library that tensor may not see"),
        ("core/engine/a.cpp", "<sentencepiece_processor.h>", "a library that engine may not see"),
        ("core/nn/movq/a.cpp", "<opencv2/core.hpp>", "a library that nn/movq may not see"),
        ("core/io/a.cpp", '"io/nowhere.h"', "no file of ours"),
        ("core/extras/a.cpp", '"io/file.h"', "the folder extras is not in the table"),
    ],
)
def test_a_wrong_include_is_seen(tmp_path: Path, source: str, include: str, complaint: str) -> None:
    good = {
        "core/io/file.h": '#include "base/error.h"\n#include <vector>\n',
        "core/base/error.h": "#include <stdexcept>\n",
        "core/text/words.h": "",
        "core/nn/unet/unet.h": '#include "tensor/weights.h"\n',
        "core/tensor/weights.h": '#include <ATen/ATen.h>\n#include "io/file.h"\n',
        "core/engine/engine.h": '/*\n#include "nowhere.h"\n*/\n',
        "core/include/kandinsky.h": "#include <stdint.h>\n",
        "core/cli/progress.cpp": '#include <CLI/CLI.hpp>\n#include "kandinsky.h"\n',
    }
    write(tmp_path, good)
    assert include_graph.violations(tmp_path) == []
    write(tmp_path, {source: f"#include {include}\n"})
    found = include_graph.violations(tmp_path)
    assert len(found) == 1
    assert complaint in found[0]
    assert found[0].startswith(source)
