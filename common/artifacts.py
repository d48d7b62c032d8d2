"""What a run leaves behind: one folder that can be checked, served, compared and rolled back.

    runs/<name>/<time>-<id>/
        manifest.json     config, seed, dataset, versions, metrics, sha256 of each file
        pipeline/         the stages' files in their native formats; no pickle
        profile.json      the training data's distributions, the reference of drift monitoring
        metrics.json  report.html
    runs/<name>/latest    a pointer: a text file holding the name of a run

A run is written to a hidden folder and renamed when it is whole, so a killed process leaves no
half artifact and never harms an older one; the next save sweeps away what was left. Opening a run
checks every file against the manifest, and the manifest against its own digest; a single changed
byte refuses to load. Pointers are replaced by rename, hence atomic.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import platform
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from common import cost, exits
from common.atomic import sha256, write_json, write_text, written_aside
from common.config import program

if TYPE_CHECKING:
    import polars as pl

    from common.evaluation.report import Report

MANIFEST = "manifest.json"
FORMAT = 5
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
    from common.evaluation import html

    home = Path(config.runs) / name
    report.cost = cost.spent()
    run = home / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    with written_aside(run) as folder:
        (folder / "pipeline").mkdir()
        pipeline.save(folder / "pipeline")
        about = {
            "run": run.name,
            "seed": str(getattr(config, "seed", "–")),
            "command": " ".join([program(), *sys.argv[1:]]),
        }
        html.save(report, folder, about=about)
        if profile is not None:
            from common.monitoring.profile import describe

            write_json(folder / "profile.json", describe(profile))
        write_json(folder / MANIFEST, _signed(_manifest(folder, report, config, name)))
    point("latest", run)
    shutil.rmtree(checkpoints(config, name, report.source), ignore_errors=True)
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
        named = pointer.read_text(encoding="utf-8", errors="replace").strip()
        path = home / named
        if path == home or not path.is_dir():
            raise ValueError(
                f"{pointer} names the run {named!r}, which does not exist; name another one"
                f" under {home}, or train again: {_train_command(name)}"
            )
        return path
    for path in (Path(run), home / str(run)):
        if (path / MANIFEST).is_file():
            return path
    raise ValueError(f"run {str(run)!r} does not exist; train one: {_train_command(name)}")


def point(pointer: str, run: Path) -> None:
    """Move `latest` or `production` to `run`, atomically."""
    assert pointer in POINTERS
    write_text(run.parent / pointer, run.name + "\n")


def checkpoints(config: Any, name: str, source: Any) -> Path:
    """Folder for the checkpoints of this configuration on this data; removed once the run is saved.

    Two runs share it only if all that could change the result is the same, the data that
    `source` describes and the size and time of the files that the config names included.
    """
    settings = dataclasses.asdict(config)
    for field in ("resume", "runs"):
        settings.pop(field, None)
    settings = _as_json(settings) | {
        "inputs": sorted(_input_files(settings)),
        "data": [source.name, source.rows, sorted(source.checksums.items())],
    }
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    folder = Path(config.runs) / name / f".unfinished-{digest}"
    exits.watch(folder)
    return folder


def _input_files(value: Any) -> Iterator[tuple[str, int, int]]:
    """Find the paths in a config, and give name, size and time of the files there."""
    if isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _input_files(each)
    elif isinstance(value, Path):
        for file in value.rglob("*") if value.is_dir() else [value]:
            if file.is_file():
                yield str(file), file.stat().st_size, file.stat().st_mtime_ns


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
        "config": _as_json(dataclasses.asdict(config)),
        "seed": getattr(config, "seed", None),
        "dataset": source,
        "notices": report.notices,
        "metrics": report.headline(),
        "served": report.served,
        "baseline": report.baseline,
        "metric": report.metric,
        "cost": None if report.cost is None else vars(report.cost),
        "versions": _versions(),
        "files": {
            path.relative_to(folder).as_posix(): sha256(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }


def _check_files(path: Path, files: dict[str, str]) -> None:
    present = {file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()} - {
        MANIFEST
    }
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
        written = manifest["format"]
        if written == FORMAT and not isinstance(manifest["files"], dict):
            raise KeyError("files")
    except (OSError, KeyError, TypeError, ValueError) as problem:
        raise ValueError(
            f"{path / MANIFEST} is missing or unreadable; the run is damaged, train it again"
        ) from problem
    if written != FORMAT:
        by = manifest.get("versions", {}).get("ml-system-patterns", "another version")
        raise ValueError(
            f"{path} is a run of format {written}, written by ml-system-patterns {by}; this version"
            f" reads format {FORMAT}: train it again, or serve it with the version that wrote it"
        )
    if _signed(manifest) != manifest:
        raise ValueError(
            f"{path / MANIFEST} does not have the sha256 that it states for itself; the file"
            " was changed or damaged: restore it, or train again"
        )
    return manifest


def _signed(manifest: dict[str, Any]) -> dict[str, Any]:
    """Add the digest of all other fields."""
    content = {field: value for field, value in manifest.items() if field != "sha256"}
    text = json.dumps(content, sort_keys=True)
    return content | {"sha256": hashlib.sha256(text.encode()).hexdigest()}


def _as_json(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings as JSON values; paths and what is not a finite number become text."""
    return json.loads(json.dumps(settings, default=str), parse_constant=str)


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
