"""Parallel texts of a user's own: two files or two columns, parts, and what is refused."""

import gzip
from pathlib import Path

import pytest

from common.own_files import TableOptions
from data.files import parallel_from_files

EN = [f"The dog number {n}" for n in range(20)]
DE = [f"Der Hund Nummer {n}" for n in range(20)]


def write(folder: Path, name: str, lines: list[str]) -> Path:
    path = folder / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_folder_of_parts_line_by_line(tmp_path: Path) -> None:
    for part, lines in (
        ("train", slice(0, 16)),
        ("val", slice(16, 18)),
        ("test_2016", slice(18, 20)),
    ):
        write(tmp_path, f"{part}.en", EN[lines])
        write(tmp_path, f"{part}.de", DE[lines])
    table = parallel_from_files({"train": tmp_path}, pair=("de", "en"))
    assert table.languages == ("de", "en") and table.train.columns == ["de", "en"]
    assert table.train.rows() == list(zip(DE[:16], EN[:16], strict=True))
    assert table.valid is not None and table.valid["en"].to_list() == EN[16:18]
    assert table.test["de"].to_list() == DE[18:] and table.source.notice is None
    assert len(table.source.checksums) == 6
    with pytest.raises(
        ValueError, match="^pair: .* holds de and en; give --pair de-en or --pair en"
    ):
        parallel_from_files({"train": tmp_path})
    with pytest.raises(ValueError, match=r"no training part .* it holds 'test_2016.de'"):
        parallel_from_files({"train": tmp_path}, pair=("fr", "nl"))


def test_a_valid_part_alone_is_the_test(tmp_path: Path) -> None:
    for part, lines in (("train", slice(0, 16)), ("dev", slice(16, 20))):
        write(tmp_path, f"{part}.en", EN[lines])
        write(tmp_path, f"{part}.de", DE[lines])
    table = parallel_from_files({"train": tmp_path}, pair=("en", "de"))
    assert table.valid is None and table.test["en"].to_list() == EN[16:]
    assert "the validation part is the test" in (table.source.notice or "")


def test_two_files_and_a_drawn_test(tmp_path: Path) -> None:
    files = (write(tmp_path, "a.en", EN), write(tmp_path, "a.de", DE))
    table = parallel_from_files({}, files=files)
    assert table.languages == ("en", "de")
    assert (table.train.height, table.test.height) == (18, 2)
    assert sorted([*table.train["en"], *table.test["en"]]) == sorted(EN)
    assert table.source.notice == "No test part was given: 2 pairs were drawn for it."
    assert parallel_from_files({}, files=files).test.equals(table.test)
    plain = (write(tmp_path, "left", EN), write(tmp_path, "right", DE))
    assert parallel_from_files({}, files=plain).languages == ("source", "target")


def test_parts_by_the_name_before_the_ending_and_packed(tmp_path: Path) -> None:
    for name, lines in (("corpus.en.gz", EN), ("corpus.de.gz", DE)):
        (tmp_path / name).write_bytes(gzip.compress("\n".join(lines).encode()))
    write(tmp_path, "held.en", ["One"])
    write(tmp_path, "held.de", ["Eins"])
    parts = {"train": tmp_path / "corpus", "test": tmp_path / "held.de"}
    table = parallel_from_files(parts, pair=("en", "de"))
    assert table.train.height == 20 and table.test.rows() == [("One", "Eins")]
    with pytest.raises(ValueError, match=r"there are no nothing\.en and nothing\.de"):
        parallel_from_files({"train": tmp_path / "nothing"}, pair=("en", "de"))
    with pytest.raises(ValueError, match="give --pair en-de for nothing.en"):
        parallel_from_files({"train": tmp_path / "nothing"})


def test_line_counts_that_differ_are_refused_naming_both(tmp_path: Path) -> None:
    files = (write(tmp_path, "a.en", EN), write(tmp_path, "a.de", DE[:-1]))
    with pytest.raises(ValueError, match=r"a\.en has 20 lines, .*a\.de has 19: line n of one"):
        parallel_from_files({}, files=files)


def test_only_a_line_feed_ends_a_line(tmp_path: Path) -> None:
    odd = ["one\u2028two", "three\x0bfour\u0085five", *EN[:10]]
    files = (write(tmp_path, "a.en", odd), write(tmp_path, "a.de", DE[:12]))
    table = parallel_from_files({}, files=files)
    found = dict([*table.train.rows(), *table.test.rows()])
    assert found["one\u2028two"] == DE[0] and found[EN[9]] == DE[11]


def test_empty_lines_are_refused_or_skipped_and_told(tmp_path: Path) -> None:
    holes, other = list(EN), list(DE)
    holes[3], holes[5], other[5], other[7] = "", " ", "", "\t"
    files = (write(tmp_path, "a.en", holes), write(tmp_path, "a.de", other))
    with pytest.raises(ValueError) as refused:
        parallel_from_files({}, files=files)
    said = str(refused.value)
    assert "row 4: column 'a.en' is empty" in said and "row 8: column 'a.de' is empty" in said
    assert "--data.incomplete skip" in said
    table = parallel_from_files({}, files=files, options=TableOptions(incomplete="skip"))
    assert table.train.height + table.test.height == 17
    notice = table.source.notice or ""
    assert "1 rows empty on both sides were left out" in notice
    assert "2 rows were skipped" in notice


def test_columns_of_a_table(tmp_path: Path) -> None:
    rows = [f"{n}\t{en}\t{de}" for n, (en, de) in enumerate(zip(EN, DE, strict=True))]
    path = write(tmp_path, "all.tsv", ["id\ten\tde", *rows])
    table = parallel_from_files({"train": path}, pair=("de", "en"))
    assert table.languages == ("de", "en") and table.train.height == 18
    assert "not used: 'id'" in (table.source.notice or "")
    with pytest.raises(ValueError, match="3 columns: 'id', 'en', 'de'. Name two"):
        parallel_from_files({"train": path})
    with pytest.raises(ValueError, match="no column 'fr'; it has 'id', 'en', 'de'"):
        parallel_from_files({"train": path}, pair=("en", "fr"))


def test_a_table_without_a_header(tmp_path: Path) -> None:
    rows = [f"{en}\t{de}" for en, de in zip(EN, DE, strict=True)]
    path = write(tmp_path, "train.tsv", rows)
    with pytest.raises(ValueError, match="row 1 looks like data.* --data.columns en de"):
        parallel_from_files({"train": tmp_path}, pair=("en", "de"))
    options = TableOptions(columns=("en", "de"))
    test = write(tmp_path, "test.tsv", rows[:3])
    table = parallel_from_files({"train": path, "test": test}, options=options)
    assert table.train.height == 20 and table.test["de"].to_list() == DE[:3]
    named = parallel_from_files({"train": path, "test": test}, pair=("x", "y"), options=options)
    assert named.languages == ("x", "y")


def test_too_few_pairs_for_a_test_are_refused(tmp_path: Path) -> None:
    files = (write(tmp_path, "a.en", EN[:3]), write(tmp_path, "a.de", DE[:3]))
    with pytest.raises(ValueError, match="3 different texts are too few .* --data.test"):
        parallel_from_files({}, files=files)


def test_several_parts_of_one_kind_are_named(tmp_path: Path) -> None:
    for part in ("train", "test_2016", "test_2017"):
        write(tmp_path, f"{part}.en", EN)
        write(tmp_path, f"{part}.de", DE)
    with pytest.raises(ValueError, match="2 test parts: test_2016, test_2017. Name one by --data"):
        parallel_from_files({"train": tmp_path}, pair=("en", "de"))
