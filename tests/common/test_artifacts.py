"""Runs on disk: what they hold, how they are found, and that a changed byte refuses to load."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from toy_run import Config, Pipeline, Trees, report, save

from common import artifacts, atomic


def test_a_run_holds_what_a_server_and_a_reader_need(tmp_path: Path) -> None:
    frame = pl.DataFrame({"amount": [1.0, 2.0]})
    config = Config(runs=tmp_path, seed=4, trees=Trees(path=Path("a.csv")))
    run = artifacts.save(Pipeline(), report(), config, name="toy", profile=frame)
    opened = artifacts.open_run("latest", name="toy", runs=tmp_path)
    assert opened.path == run and opened.version == run.name
    assert (opened.pipeline / "weights.txt").read_text() == "weights"
    manifest = opened.manifest
    assert manifest["seed"] == 4 and manifest["config"]["trees"]["path"] == "a.csv"
    assert manifest["dataset"]["name"] == "toy" and manifest["versions"]["python"]
    assert manifest["metrics"] == {"base": {"AUC": 0.5, "n": None}}
    assert manifest["baseline"] == "base"
    assert set(manifest["files"]) == {
        "pipeline/weights.txt",
        "pipeline/stage/trees.txt",
        "metrics.json",
        "report.html",
        "profile.json",
    }
    json.loads((run / "manifest.json").read_text(), parse_constant=pytest.fail)


def test_a_run_is_found_by_pointer_id_and_path(tmp_path: Path) -> None:
    first, second = save(tmp_path), save(tmp_path)
    for run in ("latest", second.name, second, str(second)):
        assert artifacts.open_run(run, name="toy", runs=tmp_path).path == second
    artifacts.point("production", first)
    assert artifacts.open_run("production", name="toy", runs=tmp_path).path == first


@pytest.mark.parametrize("run", ["latest", "production", "20200101-000000-abcdef", "/no/such"])
def test_a_run_that_is_not_there_names_the_command_to_train(tmp_path: Path, run: str) -> None:
    with pytest.raises(ValueError, match=r"python -m patterns\.toy\.train") as said:
        artifacts.open_run(run, name="toy", runs=tmp_path)
    assert "\n" not in str(said.value)


def test_a_pointer_to_a_deleted_run_says_so(tmp_path: Path) -> None:
    shutil.rmtree(save(tmp_path))
    with pytest.raises(ValueError, match=r"latest names the run .*, which does not exist"):
        artifacts.open_run("latest", name="toy", runs=tmp_path)
    (tmp_path / "toy" / "latest").write_text("")
    with pytest.raises(ValueError, match="which does not exist"):
        artifacts.open_run("latest", name="toy", runs=tmp_path)


def test_a_run_of_another_pattern_is_refused(tmp_path: Path) -> None:
    run = save(tmp_path)
    with pytest.raises(ValueError, match="is a run of 'toy', not of 'fraud'"):
        artifacts.open_run(run, name="fraud", runs=tmp_path)


def change_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "file",
    ["pipeline/weights.txt", "pipeline/stage/trees.txt", "metrics.json", "report.html"],
)
def test_a_changed_or_missing_file_refuses_to_load(tmp_path: Path, file: str) -> None:
    run = save(tmp_path)
    change_byte(run / file)
    with pytest.raises(ValueError, match=f"{file} does not have the sha256") as said:
        artifacts.open_run(run, name="toy")
    assert "\n" not in str(said.value) and "train again" in str(said.value)
    (run / file).unlink()
    with pytest.raises(ValueError, match=f"{file} is missing"):
        artifacts.open_run(run, name="toy")


@pytest.mark.parametrize("file", ["pipeline/more.txt", "pipeline/.hidden", "notes.txt"])
def test_an_added_file_refuses_to_load(tmp_path: Path, file: str) -> None:
    run = save(tmp_path)
    (run / file).write_text("x")
    with pytest.raises(ValueError, match=r"is not in the manifest") as said:
        artifacts.open_run(run, name="toy")
    assert "\n" not in str(said.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: text.replace('"format"', '"from"'),
        lambda text: text.replace('"files": {', '"files": [], "other": {'),
        lambda text: text.replace('"seed": 4', '"seed": 5'),
        lambda text: text.replace('"value"', '"other"').replace("0.5", "0.9"),
        lambda text: text.replace('"python"', '"jython"'),
    ],
)
def test_a_changed_manifest_refuses_to_load(tmp_path: Path, damage: Any) -> None:
    run = save(tmp_path)
    manifest = run / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(damage(whole))
    assert manifest.read_text() != whole
    with pytest.raises(ValueError, match=r"manifest\.json .*train") as said:
        artifacts.open_run(run, name="toy")
    assert "\n" not in str(said.value)


def test_a_run_of_another_format_is_refused_with_the_version_that_wrote_it(tmp_path: Path) -> None:
    run = save(tmp_path)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest |= {"format": 99, "versions": {"ml-system-patterns": "9.8"}}
    (run / "manifest.json").write_text(json.dumps(manifest))
    said = (
        rf"format 99, written by ml-system-patterns 9\.8.* reads format {artifacts.FORMAT}: train"
    )
    with pytest.raises(ValueError, match=said):
        artifacts.open_run(run, name="toy")


def test_a_byte_changed_anywhere_is_noticed(tmp_path: Path) -> None:
    """One byte in each of many places of a run: none loads as if nothing had happened."""
    run = save(tmp_path)
    for path in (run / "manifest.json", run / "pipeline" / "weights.txt"):
        content = path.read_bytes()
        for place in range(0, len(content), max(1, len(content) // 60)):
            changed = bytearray(content)
            changed[place] ^= 0x20
            path.write_bytes(changed)
            try:
                opened = artifacts.open_run(run, name="toy")
            except ValueError:
                continue
            # only what JSON does not count may pass: a blank between its tokens
            assert path.name == "manifest.json"
            assert opened.manifest == json.loads(content)
        path.write_bytes(content)
    artifacts.open_run(run, name="toy")


def test_a_config_with_what_json_lacks_is_kept_as_text(tmp_path: Path) -> None:
    config = Config(runs=tmp_path, trees=Trees(count=float("inf")))  # type: ignore[arg-type]
    run = artifacts.save(Pipeline(), report(), config, name="toy")
    assert artifacts.open_run(run, name="toy").manifest["config"]["trees"]["count"] == "Infinity"


def test_json_with_nan_is_refused_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    atomic.write_json(path, {"title": "Amélie"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_json(path, {"auc": float("nan")})
    assert json.loads(path.read_text(encoding="utf-8")) == {"title": "Amélie"}
    assert list(tmp_path.iterdir()) == [path]


def test_text_that_cannot_be_written_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "latest"
    atomic.write_text(path, "older")
    with pytest.raises(UnicodeEncodeError):
        atomic.write_text(path, "\ud800")  # half of a pair
    assert path.read_text() == "older" and list(tmp_path.iterdir()) == [path]
