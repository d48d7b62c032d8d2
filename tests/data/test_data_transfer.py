"""Transfers against a server that cuts, stalls, lies and refuses."""

import socket
import time

import pytest

from data import transfer
from data.errors import Damaged, FetchError, Missing, Unreachable

BODY = bytes(range(256)) * 2000
SIZE = 512_000


def fetch(server, target, *, limit=SIZE):
    transfer.fetch_url(server.url + "/file", target, limit_bytes=limit, label="file")


def left_beside(target):
    return sorted(path.name for path in target.parent.iterdir() if path != target)


def test_whole_file_arrives_and_nothing_is_left_beside_it(server, page, tmp_path):
    server.pages["/file"] = page(BODY)
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert left_beside(tmp_path / "file") == []


def test_cut_connection_is_resumed_where_it_stopped(server, page, tmp_path):
    server.pages["/file"] = page(BODY, cuts=[200_000, 100_000])
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    ranges = [wanted for _, wanted in server.requests]
    assert ranges == [None, "bytes=200000-", "bytes=300000-"]


def test_a_later_call_resumes_what_an_earlier_one_left(server, page, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "ATTEMPTS", 1)
    server.pages["/file"] = page(BODY, cuts=[150_000])
    with pytest.raises(Unreachable, match="cut off after 150,000 of 512,000"):
        fetch(server, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert server.requests[-1] == ("/file", "bytes=150000-")


def test_part_of_a_file_that_changed_meanwhile_is_dropped(server, page, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "ATTEMPTS", 1)
    server.pages["/file"] = page(BODY[::-1], cuts=[150_000], etag='"old"')
    with pytest.raises(Unreachable):
        fetch(server, tmp_path / "file")
    server.pages["/file"] = page(BODY, etag='"new"')
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


def test_whole_part_left_before_the_rename_is_taken(server, page, tmp_path):
    server.pages["/file"] = page(BODY)
    (tmp_path / "file.part").write_bytes(BODY)
    transfer._write_validator(tmp_path / "file.part", server.url + "/file", '"one"')
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert len(server.requests) == 1


def test_server_without_ranges_is_asked_from_the_start(server, page, tmp_path):
    server.pages["/file"] = page(BODY, cuts=[200_000], ranges=False)
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY


def test_without_a_validator_nothing_is_appended(server, page, tmp_path):
    server.pages["/file"] = page(BODY, cuts=[200_000], etag=None)
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert [wanted for _, wanted in server.requests] == [None, None]


def test_503_is_tried_again(server, page, tmp_path):
    server.pages["/file"] = page(BODY, statuses=[503, 429, 500])
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert len(server.requests) == 4


def test_lasting_503_ends_in_an_error_naming_it(server, page, tmp_path):
    server.pages["/file"] = page(BODY, statuses=[503] * 20)
    with pytest.raises(Unreachable, match=r"/file: HTTP 503, 5 times in a row"):
        fetch(server, tmp_path / "file")
    assert len(server.requests) == transfer.ATTEMPTS


def test_404_is_an_answer_and_not_tried_again(server, tmp_path):
    with pytest.raises(Missing, match="HTTP 404"):
        fetch(server, tmp_path / "file")
    assert len(server.requests) == 1


def test_stalled_server_is_resumed_after_the_timeout(server, page, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "READ_TIMEOUT_S", 0.3)
    held = page(BODY)
    held.stall_after = 100_000
    server.pages["/file"] = held
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == BODY
    assert len(server.requests) == 2


def test_slow_server_is_waited_for(server, page, tmp_path):
    server.pages["/file"] = page(BODY, pause_s=0.05)
    fetch(server, tmp_path / "file")
    assert len(server.requests) == 1


@pytest.mark.parametrize("says_so", [True, False])
def test_more_than_may_come_is_refused(server, page, tmp_path, says_so):
    server.pages["/file"] = page(BODY, tells_length=says_so)
    with pytest.raises(Damaged, match="bytes"):
        fetch(server, tmp_path / "file", limit=1000)
    assert not (tmp_path / "file").exists()


def test_host_out_of_reach_is_found_fast_and_remembered(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, not listening
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/file"
        start = time.monotonic()
        for _ in range(20):
            with pytest.raises(Unreachable, match="cannot be reached"):
                transfer.fetch_url(url, tmp_path / "file", limit_bytes=10, label="file")
        assert time.monotonic() - start < 1.0


def test_silent_host_costs_the_connect_timeout_once(tmp_path, monkeypatch):
    def hang(*arguments, **options):
        time.sleep(5)
        raise TimeoutError

    monkeypatch.setattr(transfer, "CONNECT_TIMEOUT_S", 0.1)
    monkeypatch.setattr(transfer.socket, "create_connection", hang)
    start = time.monotonic()
    for _ in range(5):
        with pytest.raises(Unreachable, match="no answer within"):
            transfer.fetch_url("http://silent.test/f", tmp_path / "f", limit_bytes=1, label="f")
    assert time.monotonic() - start < 2.0


def test_offline_variable_asks_no_host(server, page, tmp_path, monkeypatch):
    monkeypatch.setenv("ML_PATTERNS_OFFLINE", "1")
    server.pages["/file"] = page(BODY)
    with pytest.raises(Unreachable, match="ML_PATTERNS_OFFLINE is set"):
        fetch(server, tmp_path / "file")
    assert server.requests == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/file"])
def test_other_schemes_are_refused(url, tmp_path):
    with pytest.raises(ValueError, match="only http and https"):
        transfer.fetch_url(url, tmp_path / "file", limit_bytes=10, label="file")


def test_disk_without_room_is_known_before_the_transfer(server, page, tmp_path, monkeypatch):
    server.pages["/file"] = page(BODY)
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(FetchError, match=r"No room left in .* for 0\.5 MB"):
        fetch(server, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_made_is_named(server, page, tmp_path):
    (tmp_path / "blocked").write_text("a file where a folder should be")
    server.pages["/file"] = page(BODY)
    with pytest.raises(FetchError, match=r"cannot be written .* ML_PATTERNS_HOME"):
        fetch(server, tmp_path / "blocked" / "file")
