"""`python -m data` as a user runs it."""

import subprocess
import sys

import pytest

import data
from data.__main__ import main


def test_list_has_a_line_for_every_name(capsys, tmp_path, monkeypatch):
    (tmp_path / "mirror" / "handbook-fraud").mkdir(parents=True)
    (tmp_path / "mirror" / "handbook-fraud" / "transactions.parquet").write_bytes(b"")
    monkeypatch.setenv("ML_PATTERNS_MIRROR", str(tmp_path / "mirror"))
    assert main(["list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.strip()}
    assert set(data.NAMES) <= set(lines)
    assert "mirror" in lines["handbook-fraud"] and "14.1 MB" in lines["handbook-fraud"]
    assert "official" in lines["msrd"] and "CC BY-SA 4.0" in lines["msrd"]
    assert "bundled" in lines["digits"]


def test_info_shows_files_checksums_and_licence(capsys):
    assert main(["info", "movielens-100k"]) == 0
    out = capsys.readouterr().out
    for part in ("ml-100k/u.data", "06416e597f82", "may not redistribute", "ml-100k.zip", "Harper"):
        assert part in out


def test_fetch_that_fails_says_why_and_exits_1(capsys, monkeypatch):
    monkeypatch.setenv("ML_PATTERNS_OFFLINE", "1")
    assert main(["fetch", "banking77", "digits"]) == 1
    captured = capsys.readouterr()
    assert "error: banking77 is not available" in captured.err
    assert "bundled" in captured.out


def test_unknown_name_is_one_line_and_no_traceback():
    run = subprocess.run(
        [sys.executable, "-m", "data", "info", "nothing"], capture_output=True, text=True
    )
    assert run.returncode == 1
    assert run.stderr.startswith("error: dataset: 'nothing' has no card. Choose one of")
    assert len(run.stderr.splitlines()) == 1


def test_verify_names_the_file_that_is_wrong(capsys, own_cache):
    folder = own_cache / "banking77"
    folder.mkdir(parents=True)
    (folder / "categories.json").write_bytes(b"x" * 2036)
    assert main(["verify", "banking77"]) == 1
    assert "banking77/categories.json has sha256" in capsys.readouterr().err


def test_verify_of_nothing_says_so(capsys):
    assert main(["verify", "msrd"]) == 1
    assert "no file in the cache or on the mirror" in capsys.readouterr().err


@pytest.mark.mirror
def test_fetch_and_verify_on_the_mirror(capsys):
    assert main(["fetch", "banking77", "bccd"]) == 0
    assert "3 files verified" in capsys.readouterr().out
    assert main(["verify", "banking77", "bccd"]) == 0
