"""The optimiser: orthogonal updates, and it learns."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
muon = pytest.importorskip("muon")


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16)])
def test_updates_are_nearly_orthogonal(shape: tuple[int, int]) -> None:
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(muon.orthogonal(matrices))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_updates_keep_the_directions_of_a_gradient() -> None:
    gradient = torch.randn(1, 6, 20, generator=torch.Generator().manual_seed(1))
    left, _, right = torch.linalg.svd(gradient[0], full_matrices=False)
    assert torch.nn.functional.cosine_similarity(
        muon.orthogonal(gradient).flatten(), (left @ right).flatten(), dim=0
    ) > 0.95  # fmt: skip


def test_it_is_for_matrices_that_are_not_excepted() -> None:
    is_inner = muon.matrices_except("conv_in.", "embeddings.")
    kernel = torch.zeros(4, 2, 3, 3)
    assert is_inner("down.0.conv.weight", kernel)
    assert not is_inner("conv_in.weight", kernel)
    assert not is_inner("text.embeddings.word.weight", kernel[..., 0, 0])
    assert not is_inner("down.0.conv.bias", kernel[:, 0, 0, 0])


def test_it_learns_a_linear_map() -> None:
    torch.manual_seed(0)
    true, layer = torch.randn(4, 8), torch.nn.Linear(8, 4, bias=False)
    optimizer = muon.Muon([layer.weight], lr=0.05)
    errors = []
    for _ in range(200):
        inputs = torch.randn(32, 8)
        loss = (layer(inputs) - inputs @ true.T).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(loss.item())
    assert errors[-1] < 0.02 * errors[0]
