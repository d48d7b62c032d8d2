"""Archives that try to get out of their folder, to point elsewhere, or to fill the memory."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from data import archives
from data.errors import Damaged


def make_zip(path, members, *, link=None):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        if link:
            entry = zipfile.ZipInfo(link)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, "/etc/passwd")
    return path


def make_tar(path, members, *, entry=None):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        if entry is not None:
            archive.addfile(entry)
    return path


def test_both_packings_give_the_same_members_and_digest(tmp_path):
    members = {"a/one.txt": b"one", "a/two.txt": b"two"}
    zipped = archives.read_members(make_zip(tmp_path / "x.zip", members))
    tarred = archives.read_members(make_tar(tmp_path / "x.tar.gz", members))
    assert zipped == tarred == members
    assert archives.content_digest(zipped) == archives.content_digest(
        dict(reversed(tarred.items()))
    )
    assert archives.content_digest(zipped) != archives.content_digest({**members, "b": b""})


def test_folders_are_found_below_a_wrapping_folder(tmp_path):
    members = {"repo-1a2b/set/a.txt": b"a", "repo-1a2b/setup.py": b"x", "repo-1a2b/README": b"r"}
    found = archives.read_members(make_zip(tmp_path / "x.zip", members), folders=("set",))
    assert found == {"set/a.txt": b"a"}


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/etc/evil", "a\\..\\evil", "C:/evil"])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_names_that_lead_out_are_refused(tmp_path, name, make):
    path = make(tmp_path / "x.archive", {"fine": b"1", name: b"evil"})
    with pytest.raises(Damaged, match="points outside the archive"):
        archives.read_members(path)
    with pytest.raises(Damaged, match="points outside the archive"):
        archives.write_member(path, name, tmp_path / "out", limit_bytes=100)
    assert [file.name for file in tmp_path.iterdir()] == ["x.archive"]
    assert not (tmp_path.parent / "evil").exists()


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    entry = tarfile.TarInfo("link")
    entry.type, entry.linkname = kind, "/etc/passwd"
    path = make_tar(tmp_path / "x.tar.gz", {"fine": b"1"}, entry=entry)
    with pytest.raises(Damaged, match="is a link or device; refused"):
        archives.read_members(path)


def test_link_in_a_zip_is_refused(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"fine": b"1"}, link="link")
    with pytest.raises(Damaged, match="is a link; refused"):
        archives.read_members(path)


def test_bomb_stops_at_the_limit(tmp_path):
    path = make_zip(tmp_path / "bomb.zip", {"zeros": bytes(50_000_000)})
    assert path.stat().st_size < 100_000
    with pytest.raises(Damaged, match=r"'zeros' inflates beyond 1,000,000 bytes"):
        archives.read_members(path, limit_bytes=1_000_000)
    with pytest.raises(Damaged, match="inflates beyond"):
        archives.write_member(path, "zeros", tmp_path / "out", limit_bytes=1_000_000)


def test_limit_counts_all_members_together(tmp_path):
    path = make_tar(tmp_path / "x.tar.gz", {f"{n}": bytes(600) for n in range(3)})
    with pytest.raises(Damaged, match="inflates beyond"):
        archives.read_members(path, limit_bytes=1500)


def test_gzip_bomb_stops_at_the_limit(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(10_000_000)))
    with pytest.raises(Damaged, match="inflates beyond"):
        archives.write_gunzipped(tmp_path / "bomb.gz", tmp_path / "out", limit_bytes=1000)


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LIMIT_MEMBERS", 5)
    members = {f"{number}": b"" for number in range(10)}
    for path in (make_zip(tmp_path / "x.zip", members), make_tar(tmp_path / "x.tar.gz", members)):
        with pytest.raises(Damaged, match="more than 5 members"):
            archives.read_members(path)


@pytest.mark.parametrize("keep", [10, 60, 150])
@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_truncated_archives_are_named(tmp_path, make, keep):
    path = make(tmp_path / "x.archive", {"a": bytes(range(256)) * 40, "b": b"x" * 999})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(Damaged, match=r"x\.archive: not a valid archive"):
        archives.read_members(path)


def test_flipped_byte_inside_a_zip_is_found(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a": bytes(range(256)) * 40})
    raw = bytearray(path.read_bytes())
    raw[60] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(Damaged, match="not a valid archive"):
        archives.read_members(path)


def test_absent_member_is_named(tmp_path):
    path = make_zip(tmp_path / "x.zip", {"a": b"1"})
    with pytest.raises(Damaged, match="has no member 'b'"):
        archives.write_member(path, "b", tmp_path / "out", limit_bytes=10)


def test_broken_gzip_is_named(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(b"hello" * 1000)[:20])
    with pytest.raises(Damaged, match=r"x\.gz: not a valid archive"):
        archives.write_gunzipped(tmp_path / "x.gz", tmp_path / "out", limit_bytes=10_000)
