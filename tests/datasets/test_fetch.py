import hashlib
import logging
import sys
import types

import pytest

from aegmm_detect.datasets import sources
from aegmm_detect.datasets.fetch import DATA_HOME, fetch
from aegmm_detect.datasets.sources import File, Source
from aegmm_detect.exceptions import (
    AEGMMError,
    DataIntegrityError,
    DataUnavailableError,
    MissingExtraError,
)

CONTENT = b"1,2,3\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
FIRST, SECOND = "https://first.invalid/toy.csv", "https://second.invalid/toy.csv"


def source(sha256=SHA256, addresses=(FIRST, SECOND), other=()):
    files = (File("toy.csv", sha256), *other)
    return Source("Toy", files, addresses, "https://page.invalid", "none", "nobody")


@pytest.fixture
def pooch(monkeypatch, tmp_path):
    """Stands in for pooch: `answers` maps an address to bytes or to the error it raises."""
    fake = types.SimpleNamespace(answers={}, asked=[])

    def retrieve(url, known_hash, fname, path):
        fake.asked.append(url)
        answer = fake.answers[url]
        if isinstance(answer, Exception):
            raise answer
        found = f"sha256:{hashlib.sha256(answer).hexdigest()}"
        if known_hash not in (None, found):
            raise ValueError(f"{found} of {fname} does not match {known_hash}")
        path.mkdir(parents=True, exist_ok=True)
        (path / fname).write_bytes(answer)
        return str(path / fname)

    fake.retrieve = retrieve
    fake.os_cache = lambda name: tmp_path / "cache" / name
    monkeypatch.setitem(sys.modules, "pooch", fake)
    return fake


@pytest.fixture
def no_pooch(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)


@pytest.fixture(params=[True, False], ids=["home", "no home"])
def home_or_none(request, monkeypatch, tmp_path):
    """With an empty data folder, and with none named."""
    if request.param:
        monkeypatch.setenv(DATA_HOME, str(tmp_path))
    else:
        monkeypatch.delenv(DATA_HOME, raising=False)


def test_a_file_in_the_folder_is_used_without_pooch(home, no_pooch):
    (home / "toy.csv").write_bytes(CONTENT)
    assert fetch(source()) == home / "toy.csv"


def test_any_form_of_the_file_will_do(home, no_pooch):
    (home / "other.csv").write_bytes(CONTENT)
    assert fetch(source("0" * 64, other=[File("other.csv", SHA256)])) == home / "other.csv"


@pytest.mark.parametrize("content", [CONTENT[:-1], b"", CONTENT + b"4,5,6\n"])
def test_a_wrong_file_is_refused_with_both_checksums_and_left_alone(home, pooch, content):
    path = home / "toy.csv"
    path.write_bytes(content)
    with pytest.raises(DataIntegrityError, match=SHA256) as caught:
        fetch(source())
    found = hashlib.sha256(content).hexdigest()
    for wanted in (str(path), found, f"{len(content)} bytes", "delete it"):
        assert wanted in str(caught.value)
    assert path.read_bytes() == content
    assert pooch.asked == []


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_what_cannot_be_read_is_refused(home, sha256):
    (home / "toy.csv").mkdir()
    with pytest.raises(DataIntegrityError, match=r"toy\.csv cannot be read"):
        fetch(source(sha256))


def test_unverified_files_say_so(home, caplog):
    (home / "toy.csv").write_bytes(CONTENT)
    with caplog.at_level(logging.INFO, logger="aegmm_detect"):
        fetch(source(sha256=None))
        assert "unverified" in caplog.text
        caplog.clear()
        fetch(source())
        assert caplog.text == ""


def test_a_download_happens_once_and_goes_into_the_folder(home, pooch):
    pooch.answers[FIRST] = CONTENT
    assert fetch(source()) == fetch(source()) == home / "toy.csv"
    assert pooch.asked == [FIRST]


def test_without_the_variable_the_users_cache_is_used(pooch, monkeypatch, tmp_path):
    monkeypatch.delenv(DATA_HOME, raising=False)
    pooch.answers[FIRST] = CONTENT
    assert fetch(source()) == tmp_path / "cache" / "aegmm_detect" / "toy.csv"


@pytest.mark.parametrize("failure", [ConnectionError("no network"), b"<html>moved</html>"])
def test_the_next_address_is_tried(home, pooch, failure):
    pooch.answers |= {FIRST: failure, SECOND: CONTENT}
    assert fetch(source()).read_bytes() == CONTENT
    assert pooch.asked == [FIRST, SECOND]


def test_a_network_that_fails_is_one_error_with_addresses_and_the_way_around(home, pooch):
    pooch.answers |= {FIRST: ConnectionError("no network"), SECOND: TimeoutError("slow")}
    with pytest.raises(DataUnavailableError, match="could not be downloaded") as caught:
        fetch(source())
    for wanted in (FIRST, SECOND, "no network", "slow", DATA_HOME, "toy.csv"):
        assert wanted in str(caught.value)


def test_wrong_downloads_are_an_error_of_the_data(home, pooch):
    pooch.answers |= {FIRST: CONTENT[:-1], SECOND: ConnectionError("no network")}
    with pytest.raises(DataIntegrityError, match="what was downloaded is not") as caught:
        fetch(source())
    assert SHA256 in str(caught.value)


def test_without_pooch_the_install_command_is_named(no_pooch, home_or_none):
    with pytest.raises(MissingExtraError, match=r'pip install "aegmm_detect\[data\]"') as caught:
        fetch(source())
    assert DATA_HOME in str(caught.value)
    assert isinstance(caught.value, AEGMMError)


def test_what_only_a_person_can_get_says_where(no_pooch, home_or_none):
    with pytest.raises(DataUnavailableError, match=r"page\.invalid") as caught:
        fetch(source(addresses=()))
    assert DATA_HOME in str(caught.value)


def test_checksums_and_addresses_are_well_formed():
    entries = [
        sources.ARRHYTHMIA,
        sources.KDD99,
        *sources.NSL_KDD.values(),
        *sources.IDS2018_DAYS.values(),
        *sources.IDS2018_SAMPLES.values(),
        *sources.USB_IDS_1.values(),
    ]
    for entry in entries:
        assert entry.licence
        assert entry.citation
        assert all(address.startswith(("http://", "https://")) for address in entry.addresses)
        # What comes over plain http is only as good as its checksum.
        if any(address.startswith("http://") for address in entry.addresses):
            assert entry.files[0].sha256
        for file in entry.files:
            assert file.sha256 is None or (len(file.sha256) == 64 and int(file.sha256, 16))
    names = [file.name for entry in entries for file in entry.files]
    assert len(names) == len(set(names))
