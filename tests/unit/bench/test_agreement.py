"""Whether a converted network computes the same."""

import numpy as np
import pytest
from agreement import TOLERANCES, DisagreementError, check_prediction, relative_error

EXPECTED = np.random.default_rng(1).standard_normal((2, 8, 16, 16), dtype=np.float32)


def test_an_error_is_relative() -> None:
    assert relative_error(EXPECTED, EXPECTED) == 0
    assert relative_error(EXPECTED * np.float32(1.25), EXPECTED) == pytest.approx(0.25, rel=1e-5)
    assert relative_error(EXPECTED * 8, EXPECTED * 8) == 0


@pytest.mark.parametrize("precision", TOLERANCES)
def test_what_is_within_the_tolerance_passes_and_nothing_else(precision: str) -> None:
    for share, is_right in ((0.9, True), (1.1, False)):
        found = EXPECTED * np.float32(1 + share * TOLERANCES[precision])
        if is_right:
            error = check_prediction(found, EXPECTED, precision)
            assert error == pytest.approx(share * TOLERANCES[precision], rel=1e-3)
        else:
            with pytest.raises(DisagreementError, match=f"differs .* in {precision} at most"):
                check_prediction(found, EXPECTED, precision)


def test_what_is_no_prediction_is_refused() -> None:
    with pytest.raises(DisagreementError, match="differs from diffusers' by nan"):
        check_prediction(np.full_like(EXPECTED, np.nan), EXPECTED, "bf16")
    with pytest.raises(DisagreementError, match=r"of \(1, 8, 16, 16\), expected \(2, "):
        check_prediction(EXPECTED[:1], EXPECTED, "bf16")
