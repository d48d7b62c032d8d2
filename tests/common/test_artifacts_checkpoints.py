"""The folder of an unfinished run: one for each configuration, dataset and content of the input."""

from dataclasses import replace
from pathlib import Path

from toy_run import Config, Pipeline, Source, Trees, report

from common import artifacts


def test_checkpoints_belong_to_one_configuration(tmp_path: Path) -> None:
    data = tmp_path / "mine.csv"
    data.write_text("a,b\n1,2\n")
    config = Config(runs=tmp_path, trees=Trees(path=data))
    folder = artifacts.checkpoints(config, "toy", Source())
    assert folder.parent == tmp_path / "toy" and folder.name.startswith(".unfinished-")
    assert artifacts.checkpoints(replace(config, resume=True), "toy", Source()) == folder
    others = [
        replace(config, seed=1),
        replace(config, dataset="other"),
        replace(config, device="cpu"),
        replace(config, trees=replace(config.trees, count=4)),
        replace(config, trees=replace(config.trees, path=None)),
        replace(config, trees=replace(config.trees, widths=(2, 1))),
    ]
    folders = {artifacts.checkpoints(other, "toy", Source()) for other in others} | {folder}
    assert len(folders) == len(others) + 1
    assert artifacts.checkpoints(config, "other", Source()).parent == tmp_path / "other"
    elsewhere = Source(name="simulated-toys")
    assert artifacts.checkpoints(config, "toy", elsewhere) not in folders
    data.write_text("a,b\n1,3\n4,5\n")
    assert artifacts.checkpoints(config, "toy", Source()) not in folders


def test_checkpoints_notice_a_changed_file_in_an_input_folder(tmp_path: Path) -> None:
    (tmp_path / "images" / "cat").mkdir(parents=True)
    (tmp_path / "images" / "cat" / "1.png").write_bytes(b"x")
    config = Config(runs=tmp_path / "runs", trees=Trees(path=tmp_path / "images"))
    before = artifacts.checkpoints(config, "toy", Source())
    (tmp_path / "images" / "cat" / "2.png").write_bytes(b"y")
    assert artifacts.checkpoints(config, "toy", Source()) != before


def test_saving_removes_the_checkpoints_of_this_configuration_only(tmp_path: Path) -> None:
    config = Config(runs=tmp_path)
    mine = artifacts.checkpoints(config, "toy", Source())
    other = artifacts.checkpoints(replace(config, seed=9), "toy", Source())
    for folder in (mine, other):
        folder.mkdir(parents=True)
        (folder / "step.safetensors").write_bytes(b"x")
    artifacts.save(Pipeline(), report(), config, name="toy")
    assert not mine.exists() and (other / "step.safetensors").exists()
