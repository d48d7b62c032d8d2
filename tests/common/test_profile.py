"""The profile of the training data: its distributions, and none of its rows."""

import json
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.monitoring.profile import LEAST_ROWS, QUANTILES, TOP_VALUES, describe


def column(values: list[object] | np.ndarray, **options: object) -> dict[str, object]:
    frame = pl.DataFrame({"x": values}, **options)  # type: ignore[arg-type]
    profile = describe(frame)
    json.dumps(profile, allow_nan=False)  # an artifact must be able to hold it
    assert profile["rows"] == frame.height
    return profile["columns"]["x"]


def test_numbers_keep_moments_and_quantiles() -> None:
    found = column(np.arange(101.0))
    assert found["kind"] == "number" and found["missing"] == 0.0
    assert found["mean"] == 50.0 and found["std"] == pytest.approx(np.arange(101.0).std())
    assert list(found["quantiles"]) == [str(q) for q in QUANTILES]  # type: ignore[call-overload]
    assert found["quantiles"]["0.05"] == 5.0 and found["quantiles"]["1.0"] == 100.0  # type: ignore[index]


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), float("-inf")])
def test_what_is_not_a_finite_number_is_missing(bad: float | None) -> None:
    found = column([1.0, bad, 3.0, bad])
    assert found["missing"] == 0.5 and found["mean"] == 2.0


@pytest.mark.parametrize("values", [[], [None, None], [float("nan")] * 3])
def test_a_column_of_nothing_has_no_quantiles(values: list[float | None]) -> None:
    found = column(values, schema={"x": pl.Float32})
    assert found == {"kind": "number", "missing": 1.0 if values else 0.0}


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt64, pl.Float32, pl.Boolean])
def test_every_kind_of_number_is_one(dtype: pl.DataType) -> None:
    found = column([0, 1, 1, None], schema={"x": dtype}, strict=False)
    assert found["kind"] == "number" and found["mean"] == pytest.approx(2 / 3)
    assert found["missing"] == 0.25


def test_huge_numbers_stay_json() -> None:
    found = column([1e308, -1e308, 1e308])
    assert found["kind"] == "number" and found["std"] is None


def test_categories_keep_their_shares_and_a_null_is_no_value() -> None:
    found = column(["a"] * 10 + ["b"] * 6 + ["None"] * 5 + [None] * 4)
    assert found == {
        "kind": "category",
        "missing": 4 / 25,
        "distinct": 3,
        "values": {"a": 10 / 25, "b": 6 / 25, "None": 5 / 25},
    }


def test_ties_of_frequency_are_in_order_so_that_profiles_are_equal() -> None:
    names = [f"c{number:03d}" for number in range(80)]
    rows = names * LEAST_ROWS
    np.random.default_rng(0).shuffle(rows)
    found = column(rows)
    assert list(found["values"]) == names[:TOP_VALUES]  # type: ignore[call-overload]
    assert found["distinct"] == 80


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([date(2024, 1, day) for day in range(1, 9)], "category"),
        (pl.Series([["a"], [], None, ["b", "c"]]), "number"),
        (pl.Series(["x", "y"] * 9, dtype=pl.Categorical), "category"),
        (pl.Series([[1.0, 2.0]], dtype=pl.Array(pl.Float32, 2)), "number"),
    ],
)
def test_other_types_are_described_too(values: list[object], kind: str) -> None:
    assert column(values)["kind"] == kind


def test_no_row_leaks() -> None:
    rows = 400
    frame = pl.DataFrame(
        {
            "user": [f"person-{number}@example.org" for number in range(rows)],
            "text": [f"my secret number is {number}" for number in range(rows)],
            "city": ["Bern", "Oslo"] * (rows // 2),
            "rare": ["common"] * (rows - 1) + ["the only one"],
        }
    )
    text = json.dumps(describe(frame))
    assert "person-" not in text and "secret" not in text and "the only one" not in text
    assert '"Bern": 0.5' in text and '"distinct": 400' in text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(width=32), st.just(7.0)), max_size=40))
def test_any_numbers_make_a_profile(values: list[float | None]) -> None:
    found = column(values, schema={"x": pl.Float32})
    finite = [value for value in values if value is not None and np.isfinite(value)]
    assert ("quantiles" in found) == bool(finite)
    if finite:
        quantiles = list(found["quantiles"].values())  # type: ignore[attr-defined]
        assert quantiles[0] == min(finite) and quantiles[-1] == max(finite)
        assert quantiles == sorted(quantiles)
