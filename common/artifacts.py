"""What a run leaves behind: one folder that can be checked, served, compared and rolled back.

    runs/<name>/<time>-<id>/
        manifest.json     config, seed, dataset, versions, metrics, sha256 of each file
        pipeline/         the stages' files in their native formats; no pickle
        profile.json      the training data's distributions, the reference of drift monitoring
        metrics.json  report.html
    runs/<name>/latest    a pointer: a text file holding the name of a run

A run is written to a hidden folder and renamed when it is whole, so a killed process leaves no
half artifact and never harms an older one. Opening a run checks every file against the manifest;
a single changed byte refuses to load. Pointers are replaced by rename, hence atomic.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import platform
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from common.config import program

if TYPE_CHECKING:
    import polars as pl

    from common.evaluation.report import Report

MANIFEST = "manifest.json"
FORMAT = 1
POINTERS = ("latest", "production")
PACKAGES = (
    "accelerate",
    "faiss-cpu",
    "implicit",
    "imbalanced-learn",
    "lightgbm",
    "numpy",
    "onnxruntime",
    "polars",
    "scikit-learn",
    "scipy",
    "skops",
    "torch",
    "torchvision",
    "transformers",
    "xgboost",
)


class Savable(Protocol):
    """What `save` needs of a pipeline."""

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into `folder`, which exists and is empty."""


@dataclass(frozen=True)
class Run:
    """An opened run whose files have been checked."""

    path: Path
    manifest: dict[str, Any]

    @property
    def pipeline(self) -> Path:
        """Folder of the stages' files."""
        return self.path / "pipeline"

    @property
    def version(self) -> str:
        """The run's name, which answers carry as the model version."""
        return self.path.name


def save(
    pipeline: Savable,
    report: Report,
    config: Any,
    *,
    name: str,
    profile: pl.DataFrame | None = None,
) -> Path:
    """Write a run of `name` and point `latest` at it; returns the run's folder.

    `profile` is a sample of the model's inputs; its distributions are kept for drift monitoring.
    """
    home = Path(config.runs) / name
    run = home / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    with _written_aside(run) as folder:
        (folder / "pipeline").mkdir()
        pipeline.save(folder / "pipeline")
        report.save(folder)
        if profile is not None:
            from common.monitoring.profile import describe

            write_json(folder / "profile.json", describe(profile))
        write_json(folder / MANIFEST, _manifest(folder, report, config, name))
    point("latest", run)
    shutil.rmtree(checkpoints(config, name), ignore_errors=True)
    return run


def open_run(run: str | Path, *, name: str, runs: Path = Path("runs")) -> Run:
    """Open `latest`, `production` or a run's folder, checking the sha256 of every file.

    Raises `ValueError` where there is no such run, where a file is missing, added or changed,
    and where the run belongs to another pattern.
    """
    path = resolve(run, name=name, runs=runs)
    manifest = _read_manifest(path)
    if manifest.get("name") != name:
        raise ValueError(
            f"{path} is a run of {manifest.get('name')!r}, not of {name!r}; name a folder under"
            f" {Path(runs) / name}"
        )
    _check_files(path, manifest["files"])
    return Run(path, manifest)


def resolve(run: str | Path, *, name: str, runs: Path = Path("runs")) -> Path:
    """Turn a pointer, a run's id or a path into the folder of an existing run."""
    home = Path(runs) / name
    if str(run) in POINTERS:
        pointer = home / str(run)
        if not pointer.is_file():
            raise ValueError(f"{pointer} does not exist; train first: {_train_command(name)}")
        return home / pointer.read_text(encoding="utf-8").strip()
    for path in (Path(run), home / str(run)):
        if (path / MANIFEST).is_file():
            return path
    raise ValueError(f"run {str(run)!r} is not there; train one: {_train_command(name)}")


def point(pointer: str, run: Path) -> None:
    """Move `latest` or `production` to `run`, atomically."""
    assert pointer in POINTERS
    write_text(run.parent / pointer, run.name + "\n")


def checkpoints(config: Any, name: str) -> Path:
    """Folder for the checkpoints of this very configuration; removed once the run is saved.

    Two runs share it only if all that could change the result is the same.
    """
    settings = _plain(config)
    for field in ("resume", "runs"):
        settings.pop(field, None)
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    return Path(config.runs) / name / f".unfinished-{digest}"


def write_json(path: Path, content: Any) -> None:
    """Write JSON aside and rename; keys keep their order, NaN is refused."""
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text aside and rename, so that a reader sees the old text or the new one."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _written_aside(run: Path) -> Iterator[Path]:
    """Give a hidden folder beside `run`, renamed to `run` on success and removed on failure."""
    aside = run.with_name(f".{run.name}.part")
    aside.mkdir(parents=True)
    try:
        yield aside
        aside.rename(run)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _manifest(folder: Path, report: Report, config: Any, name: str) -> dict[str, Any]:
    source = {
        field: getattr(report.source, field)
        for field in ("name", "origin", "title", "licence", "rows", "notice")
    } | {"checksums": dict(report.source.checksums)}
    return {
        "format": FORMAT,
        "name": name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": " ".join([program(), *sys.argv[1:]]),
        "config": _plain(config),
        "seed": getattr(config, "seed", None),
        "dataset": source,
        "notices": report.notices,
        "metrics": report.headline(),
        "versions": _versions(),
        "files": {
            path.relative_to(folder).as_posix(): sha256(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }


def _check_files(path: Path, files: dict[str, str]) -> None:
    present = {
        file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()
    } - {MANIFEST}
    for missing in sorted(set(files) - present):
        raise ValueError(f"{path / missing} is missing; the run is damaged, train it again")
    for extra in sorted(present - set(files)):
        raise ValueError(f"{path / extra} is not in the manifest; remove it or train again")
    for file, digest in files.items():
        if sha256(path / file) != digest:
            raise ValueError(
                f"{path / file} does not have the sha256 its manifest gives; the file was changed"
                " or damaged: restore it, or train again"
            )


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((path / MANIFEST).read_text(encoding="utf-8"))
        if manifest["format"] != FORMAT or not isinstance(manifest["files"], dict):
            raise KeyError("format")
    except (OSError, KeyError, TypeError, ValueError) as problem:
        raise ValueError(
            f"{path / MANIFEST} is missing or unreadable; the run is damaged, train it again"
        ) from problem
    return manifest


def sha256(path: Path) -> str:
    """Give the hexadecimal digest of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(config: Any) -> dict[str, Any]:
    """Give a config as JSON values."""
    return json.loads(json.dumps(dataclasses.asdict(config), default=str))


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in ("ml-system-patterns", *PACKAGES):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _train_command(name: str) -> str:
    return f"python -m patterns.{name.replace('/', '.')}.train"
