"""What the cache holds after everything that can go wrong: stamps, limits, kills and races."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from tiny_dataset import BODY, OTHER, files_under, plain, sha256

from data import cache, download
from data.cards import File
from data.errors import FetchError

ROOT = Path(__file__).parents[2]


def test_stamp_saves_the_hash_and_any_write_voids_it(server, page, own_cache, monkeypatch):
    server.pages["/file"] = page(BODY)
    path = download.fetch(plain(server)).paths["file"]
    file = plain(server).forms[0].files[0]
    hashed = []
    monkeypatch.setattr(cache, "sha256_of", lambda path: hashed.append(path) or sha256(BODY))
    cache.verify(path, file)
    assert hashed == []
    cache.verify(path, file, again=True)
    assert hashed == [path]
    before = path.stat()
    path.write_bytes(OTHER)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # same size and time as before
    cache.verify(path, file)
    assert hashed == [path, path]


def test_file_without_published_checksum_is_held_to_the_first_one(own_cache):
    path = own_cache / "tiny" / "file"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    cache.verify(path, File("file", None, None))
    path.write_bytes(OTHER)
    with pytest.raises(FetchError, match="has changed since it was first used"):
        cache.verify(path, File("file", None, None))


def test_file_without_published_checksum_is_held_to_its_size(own_cache):
    path = own_cache / "tiny" / "file"
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    assert cache.verify(path, File("file", len(BODY), None)) == sha256(BODY)
    path.write_bytes(BODY[:-1])
    with pytest.raises(FetchError, match=rf"bytes, the dataset's card says {len(BODY):,}"):
        cache.check(path, File("file", len(BODY), None))


def test_cache_that_cannot_be_written_is_named(server, page, tmp_path, monkeypatch):
    (tmp_path / "blocked").write_text("")
    monkeypatch.setenv("ML_PATTERNS_HOME", str(tmp_path / "blocked"))
    server.pages["/file"] = page(BODY)
    with pytest.raises(FetchError, match=r"cache .*blocked cannot be written .*ML_PATTERNS_HOME"):
        download.fetch(plain(server))


def test_folder_mirror_works_with_a_cache_that_cannot_be_written(server, tmp_path, monkeypatch):
    (tmp_path / "blocked").write_text("")
    monkeypatch.setenv("ML_PATTERNS_HOME", str(tmp_path / "blocked"))
    (tmp_path / "mirror" / "tiny").mkdir(parents=True)
    (tmp_path / "mirror" / "tiny" / "file").write_bytes(BODY)
    monkeypatch.setenv("ML_PATTERNS_MIRROR", str(tmp_path / "mirror"))
    assert download.fetch(plain(server)).origin == "mirror"


# In processes of their own: kills, limits and races.

SCRIPT = """
import hashlib, sys
from data import download
from data.cards import Card, File, Form
url, size, digest = sys.argv[1], int(sys.argv[2]), sys.argv[3]
{before}
card = Card("tiny", "tiny", "Tiny", "test", "", "none", "",
            (Form("only", (File("file", size, digest, urls=(url,)),)),))
try:
    print(download.fetch(card).origin)
except ValueError as error:
    print("refused:", error)
"""


def start(server, home, *, before="", prefix=()):
    return subprocess.Popen(
        [
            *prefix,
            sys.executable,
            "-c",
            SCRIPT.format(before=textwrap.dedent(before)),
            server.url + "/file",
            str(len(BODY)),
            sha256(BODY),
        ],
        env=os.environ | {"ML_PATTERNS_HOME": str(home), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_process_leaves_a_sound_cache_and_the_next_resumes(server, page, own_cache):
    server.pages["/file"] = page(BODY, pause_s=0.25)
    process = start(server, own_cache)
    part = own_cache / "tiny" / ".partial" / "file.part"
    deadline = time.monotonic() + 20
    while not (part.exists() and part.stat().st_size > 100_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (own_cache / "tiny" / "file").exists()
    server.pages["/file"] = page(BODY)
    assert download.fetch(plain(server)).paths["file"].read_bytes() == BODY
    assert server.requests[-1][1] is not None, "the second process asked for the rest only"
    assert files_under(own_cache) == ["tiny/file"]


def test_two_processes_fetch_it_once(server, page, own_cache):
    server.pages["/file"] = page(BODY, pause_s=0.1)
    processes = [start(server, own_cache) for _ in range(2)]
    origins = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert len(server.requests) == 1
    assert "official" in origins
    assert (own_cache / "tiny" / "file").read_bytes() == BODY


def test_file_size_limit_is_a_clear_error_and_leaves_nothing(server, page, own_cache):
    server.pages["/file"] = page(BODY)
    before = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    """
    out, _ = start(server, own_cache, before=before).communicate(timeout=60)
    assert out.startswith("refused: No room left in"), out
    assert files_under(own_cache) == []


@pytest.mark.parametrize("tells_length", [True, False])
def test_disk_that_is_really_full(server, page, tmp_path, tells_length):
    disk = tmp_path / "disk"
    disk.mkdir()
    if not shutil.which("unshare"):
        pytest.skip("unshare is not installed: no small disk can be made")
    mount = f'mount -t tmpfs -o size=256k small {disk} && exec "$@" && true'
    prefix = ("unshare", "--mount", "sh", "-c", mount, "sh")
    if os.geteuid() != 0:
        prefix = ("unshare", "--user", "--map-root-user", *prefix[1:])
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("no right to mount a tmpfs: no small disk can be made")
    server.pages["/file"] = page(BODY, tells_length=tells_length)
    before = """
    import atexit, pathlib, os
    home = pathlib.Path(os.environ["ML_PATTERNS_HOME"])
    atexit.register(lambda: print([p.name for p in (home / "tiny").rglob("*") if p.is_file()]))
    """
    out, err = start(server, disk, before=before, prefix=prefix).communicate(timeout=60)
    assert out.startswith("refused: No room left in"), out + err
    assert out.rstrip().endswith("[]"), "a half file was left"
