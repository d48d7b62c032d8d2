"""Names, the choice between public and simulated, and what the package may import."""

import subprocess
import sys

import numpy as np
import pytest

import data
from data import registry


def test_every_name_has_a_card_or_a_generator():
    assert set(registry.PUBLIC_NAMES) | set(registry.SIMULATED_NAMES) == set(data.NAMES)
    for name in registry.PUBLIC_NAMES:
        card = registry.card(name)
        assert card.name == name
        assert card.licence and card.citation and card.homepage.startswith("https://")
        for form in card.forms:
            for file in form.files:
                checked = file.sha256 or file.content or file.archive or file.fetchable
                assert checked, f"{name}/{file.name} cannot be verified"
                assert file.sha256 is None or len(file.sha256) == 64
                assert ".pkl" not in file.name and ".pickle" not in file.name


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'movielens' is not known. Choose one of movielens-100k"):
        data.load("movielens")


def test_public_dataset_takes_no_sizes():
    with pytest.raises(ValueError, match="users: not an option of msrd"):
        data.load("msrd", users=3)


@pytest.mark.parametrize("name", registry.SIMULATED_NAMES)
def test_simulated_worlds_name_an_unknown_option(name):
    with pytest.raises(ValueError, match=rf"nonsense: not an option of {name}. Choose from "):
        data.load(name, nonsense=3)


def test_digits_need_nothing():
    table = data.load("digits", seed=3)
    assert table.source.origin == "bundled"
    assert table.train_images.shape == (1438, 8, 8)
    assert table.test_images.shape == (359, 8, 8)
    assert table.train_images.dtype == np.uint8 and table.train_images.max() == 255
    assert table.train_labels.dtype == np.int64


def test_a_name_other_than_auto_is_given_back():
    assert data.choose("msrd", public="banking77", offline="simulated-intents") == ("msrd", None)


def test_auto_falls_back_with_a_notice_that_says_why(monkeypatch):
    monkeypatch.setenv("ML_PATTERNS_OFFLINE", "1")
    name, notice = data.choose("auto", public="msrd", offline="simulated-films")
    assert name == "simulated-films"
    assert notice.startswith("Running on simulated data (simulated-films): msrd is not available")
    assert "ML_PATTERNS_MIRROR" in notice


def test_auto_can_fall_back_to_a_bundled_set(monkeypatch):
    monkeypatch.setenv("ML_PATTERNS_OFFLINE", "1")
    name, notice = data.choose("auto", public="fashion-mnist", offline="digits")
    assert name == "digits"
    assert notice.startswith("Running on bundled data (digits): fashion-mnist is not available")


def test_auto_takes_a_bundled_set():
    assert data.choose("auto", public="digits", offline="simulated-cells") == ("digits", None)


def test_handbook_fraud_names_the_remedy(monkeypatch):
    monkeypatch.setenv("ML_PATTERNS_OFFLINE", "1")
    with pytest.raises(ValueError, match=r"pandas pickles only.*transactions\.parquet.*simulated"):
        data.load("handbook-fraud")


@pytest.mark.mirror
def test_auto_takes_the_mirrored_set():
    chosen = data.choose("auto", public="banking77", offline="simulated-intents")
    assert chosen == ("banking77", None)


def test_import_loads_nothing_heavy():
    script = (
        "import sys, data, data.__main__; "
        "heavy = {'torch', 'sklearn', 'PIL', 'pandas', 'patterns', 'polars'} & set(sys.modules); "
        "ours = {each for each in sys.modules if each.startswith('common.')} - {'common.home'}; "
        "print(sorted(heavy | ours))"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_world_of_another_kind_is_refused_as_such():
    from data.tables import Interactions

    with pytest.raises(ValueError, match="'simulated-nuclei' holds SegmentationImages"):
        registry.load_table(
            Interactions,
            "simulated-nuclei",
            public="movielens-100k",
            offline="simulated-movies",
            users=30,
        )
