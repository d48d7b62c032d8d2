"""Files that come in an archive: fetched once, checked member by member, hostile ones refused."""

import errno
import gzip

import pytest
from tiny_dataset import BODY, card_of, files_under, sha256, zipped

from data import download
from data.archives import content_digest
from data.cards import Archive, Content, File
from data.errors import FetchError


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


def test_an_archive_is_held_to_its_own_checksum_where_members_have_none(server, page, own_cache):
    server.pages["/set.zip"] = page(zipped({"a": b"alphA"}))
    known = sha256(zipped({"a": b"alpha"}))
    archive = Archive((server.url + "/set.zip",), "zip", limit_bytes=10_000, sha256=known)
    with pytest.raises(
        FetchError, match=r"set\.zip does not have the sha256 of the dataset's card"
    ):
        download.fetch(card_of(File("a", None, None, archive=archive, member="a")))
    assert files_under(own_cache) == []


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


def test_full_disk_while_unpacking_leaves_nothing(server, page, own_cache, monkeypatch):
    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    server.pages["/set.zip"] = page(zipped({"a": b"alpha"}))
    archive = Archive((server.url + "/set.zip",), "zip", limit_bytes=10_000)
    monkeypatch.setattr(download.archives, "write_member", full)
    with pytest.raises(FetchError, match="No room left"):
        download.fetch(card_of(File("a", 5, sha256(b"alpha"), archive=archive, member="a")))
    assert files_under(own_cache) == []
