"""The look-up order: cache, mirror, official place, and what is said where one lies or lacks."""

import pytest
from tiny_dataset import BODY, OTHER, card_of, files_under, plain, sha256

from data import download
from data.cards import Card, File, Form
from data.errors import FetchError


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
