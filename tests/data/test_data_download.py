"""The look-up order, and what the cache holds after everything that can go wrong."""

import errno
import gzip
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import pytest

from data import cache, download, progress
from data.archives import content_digest
from data.cards import Archive, Card, Content, File, Form
from data.errors import FetchError

BODY = bytes(range(256)) * 2000  # 512,000 bytes
OTHER = b"tampered" + BODY[8:]
ROOT = Path(__file__).parents[2]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def card_of(*files, **more):
    return Card(
        name="tiny",
        folder="tiny",
        title="Tiny",
        task="test",
        homepage="http://tiny.test",
        licence="none",
        citation="",
        forms=(Form("only", files),),
        **more,
    )


def plain(server, *, name="file", body=BODY):
    return card_of(File(name, len(body), sha256(body), urls=(f"{server.url}/{name}",)))


def zipped(members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def files_under(home):
    """Every file in the cache but locks and stamps."""
    return sorted(
        str(path.relative_to(home))
        for path in home.rglob("*")
        if path.is_file() and path.relative_to(home).parts[0] not in ("locks", "verified")
    )


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch):
    monkeypatch.setattr(progress, "_said", set())


def test_official_then_cache(server, page, own_cache):
    server.pages["/file"] = page(BODY)
    first = download.fetch(plain(server))
    assert first.origin == "official"
    assert first.paths["file"].read_bytes() == BODY
    assert first.checksums == {"file": sha256(BODY)}
    second = download.fetch(plain(server))
    assert second.origin == "cache"
    assert len(server.requests) == 1
    assert files_under(own_cache) == ["tiny/file"]


def test_folder_mirror_is_read_in_place(server, tmp_path, monkeypatch, own_cache):
    mirror = tmp_path / "mirror"
    (mirror / "tiny").mkdir(parents=True)
    (mirror / "tiny" / "file").write_bytes(BODY)
    monkeypatch.setenv("ML_PATTERNS_MIRROR", str(mirror))
    fetched = download.fetch(plain(server))
    assert fetched.origin == "mirror"
    assert fetched.paths["file"] == mirror / "tiny" / "file"
    assert files_under(own_cache) == []
    assert server.requests == []


def test_url_mirror_is_copied_to_the_cache(server, page, monkeypatch, own_cache):
    server.pages["/mirror/tiny/file"] = page(BODY)
    monkeypatch.setenv("ML_PATTERNS_MIRROR", server.url + "/mirror/")
    assert download.fetch(plain(server)).origin == "mirror"
    assert files_under(own_cache) == ["tiny/file"]
    assert download.fetch(plain(server)).origin == "cache"


def test_what_the_url_mirror_lacks_comes_from_the_official_place(server, page, monkeypatch):
    server.pages["/file"] = page(BODY)
    monkeypatch.setenv("ML_PATTERNS_MIRROR", server.url + "/mirror")
    assert download.fetch(plain(server)).origin == "official"
    assert [path for path, _ in server.requests] == ["/mirror/tiny/file", "/file"]


def test_tampered_mirror_is_said_and_the_official_copy_used(
    server, page, tmp_path, monkeypatch, capsys
):
    (tmp_path / "mirror" / "tiny").mkdir(parents=True)
    (tmp_path / "mirror" / "tiny" / "file").write_bytes(OTHER)
    monkeypatch.setenv("ML_PATTERNS_MIRROR", str(tmp_path / "mirror"))
    server.pages["/file"] = page(BODY)
    assert download.fetch(plain(server)).origin == "official"
    assert "mirror/tiny/file has sha256" in capsys.readouterr().err


def test_tampered_mirror_and_nothing_else_is_an_error_naming_it(tmp_path, monkeypatch):
    (tmp_path / "mirror" / "tiny").mkdir(parents=True)
    (tmp_path / "mirror" / "tiny" / "file").write_bytes(OTHER)
    monkeypatch.setenv("ML_PATTERNS_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(FetchError, match=r"tiny is not available: .*mirror/tiny/file has sha256"):
        download.fetch(card_of(File("file", len(BODY), sha256(BODY))))


def test_damaged_cache_is_replaced_and_said(server, page, own_cache, capsys):
    server.pages["/file"] = page(BODY)
    download.fetch(plain(server))
    (own_cache / "tiny" / "file").write_bytes(OTHER)
    assert download.fetch(plain(server)).origin == "official"
    assert (own_cache / "tiny" / "file").read_bytes() == BODY
    assert "home/tiny/file has sha256" in capsys.readouterr().err


def test_damaged_cache_is_kept_while_nothing_better_can_be_had(server, page, own_cache):
    server.pages["/file"] = page(BODY)
    download.fetch(plain(server))
    (own_cache / "tiny" / "file").write_bytes(OTHER)
    server.pages.clear()
    with pytest.raises(FetchError, match="home/tiny/file has sha256"):
        download.fetch(plain(server))
    assert (own_cache / "tiny" / "file").read_bytes() == OTHER


def test_wrong_bytes_are_fetched_once_again(server, page, capsys):
    server.pages["/file"] = page(BODY, bodies=[OTHER])
    assert download.fetch(plain(server)).paths["file"].read_bytes() == BODY
    assert "fetching it once again" in capsys.readouterr().err
    assert len(server.requests) == 2


def test_wrong_bytes_twice_are_an_error_and_leave_nothing(server, page, own_cache):
    server.pages["/file"] = page(OTHER)
    with pytest.raises(FetchError, match=r"/file sent wrong bytes twice \(.*has sha256"):
        download.fetch(plain(server))
    assert len(server.requests) == 2
    assert files_under(own_cache) == []


def test_second_url_is_used_when_the_first_lies(server, page):
    server.pages["/first"] = page(OTHER)
    server.pages["/second"] = page(BODY)
    urls = (server.url + "/first", server.url + "/second")
    fetched = download.fetch(card_of(File("file", len(BODY), sha256(BODY), urls=urls)))
    assert fetched.paths["file"].read_bytes() == BODY


def test_archive_is_fetched_once_for_all_its_members(server, page, own_cache):
    members = {"set/a": b"alpha" * 100, "set/b": b"beta" * 100}
    packed = zipped(members | {"set/unused": b"?"})
    server.pages["/set.zip"] = page(packed)
    archive = Archive((server.url + "/set.zip",), "zip", limit_bytes=10_000, sha256=sha256(packed))
    files = [
        File(name[4:], len(body), sha256(body), archive=archive, member=name)
        for name, body in members.items()
    ]
    fetched = download.fetch(card_of(*files))
    assert [fetched.paths[name].read_bytes() for name in "ab"] == list(members.values())
    assert len(server.requests) == 1
    assert files_under(own_cache) == ["tiny/a", "tiny/b"]


def test_wrong_member_is_fetched_once_again(server, page, own_cache):
    packed, lie = zipped({"a": b"alpha"}), zipped({"a": b"alphA"})
    server.pages["/set.zip"] = page(packed, bodies=[lie])
    archive = Archive((server.url + "/set.zip",), "zip", limit_bytes=10_000)
    card = card_of(File("a", 5, sha256(b"alpha"), archive=archive, member="a"))
    assert download.fetch(card).paths["a"].read_bytes() == b"alpha"
    assert files_under(own_cache) == ["tiny/a"]


@pytest.mark.parametrize("members", [{"../a": b"alpha"}, {"a": bytes(10_000_000)}])
def test_hostile_archive_is_refused_and_leaves_nothing(server, page, own_cache, members):
    server.pages["/set.zip"] = page(zipped(members))
    archive = Archive((server.url + "/set.zip",), "zip", limit_bytes=1_000_000)
    card = card_of(File("a", 5, sha256(b"alpha"), archive=archive, member="a"))
    with pytest.raises(FetchError, match="refused"):
        download.fetch(card)
    assert files_under(own_cache) == []


def test_gzipped_file_is_kept_inflated(server, page):
    server.pages["/file.gz"] = page(gzip.compress(BODY))
    archive = Archive((server.url + "/file.gz",), "gzip", limit_bytes=len(BODY))
    fetched = download.fetch(card_of(File("file", len(BODY), sha256(BODY), archive=archive)))
    assert fetched.paths["file"].read_bytes() == BODY


def test_any_packing_of_the_content_is_accepted_and_no_other_content(server, page):
    members = {"repo-1/set/a": b"alpha"}
    digest = content_digest({"set/a": b"alpha"})
    file = File(
        "x.zip",
        100,
        sha256(b"another packing"),
        urls=(server.url + "/x.zip",),
        content=Content(digest, ("set",)),
    )
    server.pages["/x.zip"] = page(zipped(members))
    assert download.fetch(card_of(file)).origin == "official"
    assert download.fetch(card_of(file)).origin == "cache"
    server.pages["/y.zip"] = page(zipped({"repo-1/set/a": b"alphA"}))
    lie = File("y.zip", 100, "0" * 64, urls=(server.url + "/y.zip",), content=file.content)
    with pytest.raises(FetchError, match="holds other files than the dataset's card says"):
        download.fetch(card_of(lie))


def test_second_form_is_used_when_the_first_cannot_be_had(server, page):
    server.pages["/b"] = page(b"bb")
    forms = (
        Form("mirrored", (File("a", 2, sha256(b"aa")),)),
        Form("official", (File("b", 2, sha256(b"bb"), urls=(server.url + "/b",)),)),
    )
    base = card_of()
    card = Card(**{**vars(base), "forms": forms})
    assert download.fetch(card).form.name == "official"
    with pytest.raises(FetchError, match="not in the cache"):
        download.fetch(card, form="mirrored")
    with pytest.raises(ValueError, match="form: tiny has no form 'other'. Choose one of mirrored"):
        download.fetch(card, form="other")


def test_error_says_what_each_place_answered_and_the_remedy(server):
    with pytest.raises(FetchError) as caught:
        download.fetch(plain(server))
    for part in ("not in the cache", "no mirror is set", "HTTP 404", "Connect to the network"):
        assert part in str(caught.value)


def test_mirror_that_is_no_folder_is_named(server, monkeypatch):
    monkeypatch.setenv("ML_PATTERNS_MIRROR", "/no/such/folder")
    with pytest.raises(FetchError, match=r"the mirror /no/such/folder .* is not a folder"):
        download.fetch(plain(server))


def test_restricting_licence_is_shown_before_the_download(server, page, capsys):
    server.pages["/file"] = page(BODY)
    card = Card(**{**vars(plain(server)), "restriction": "Not for sale."})
    download.fetch(card)
    said = capsys.readouterr().err
    assert said.index("Not for sale.") < said.index("fetching tiny")
    download.fetch(card)
    assert capsys.readouterr().err == ""  # nothing is downloaded, nothing is said


def test_licence_is_not_shown_where_nothing_can_be_downloaded(server, monkeypatch, capsys):
    monkeypatch.setenv("ML_PATTERNS_OFFLINE", "1")
    with pytest.raises(FetchError, match="ML_PATTERNS_OFFLINE is set"):
        download.fetch(Card(**{**vars(plain(server)), "restriction": "Not for sale."}))
    assert capsys.readouterr().err == ""


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


def test_full_disk_while_unpacking_leaves_nothing(server, page, own_cache, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    server.pages["/set.zip"] = page(zipped({"a": b"alpha"}))
    archive = Archive((server.url + "/set.zip",), "zip", limit_bytes=10_000)
    monkeypatch.setattr(download.archives, "write_member", full)
    with pytest.raises(FetchError, match="No room left"):
        download.fetch(card_of(File("a", 5, sha256(b"alpha"), archive=archive, member="a")))
    assert files_under(own_cache) == []


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
