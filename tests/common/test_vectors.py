"""Rows divided by their length."""

import numpy as np

from common.vectors import unit_rows


def test_rows_get_length_one_and_zero_rows_stay_zero() -> None:
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0], [1e-5, 0.0]], dtype=np.float32))
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0], [1.0, 0.0]], rtol=1e-6)
    assert unit_rows(np.empty((0, 3))).shape == (0, 3)
