"""Zip files of strangers: members as they are stored, or an error."""

import io
import stat
import zipfile

import pytest

from aegmm_detect.exceptions import ArtefactError, CheckpointError
from aegmm_detect.untrusted import stored
from aegmm_detect.untrusted.stored import read_stored, write_stored

MEMBERS = {"a": b"first", "b": b"", "c/d": bytes(range(256))}


def read(content, allowed=lambda _: True):
    return read_stored(io.BytesIO(content), "it", allowed, CheckpointError)


def zipped(fill):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        fill(archive)
    return stream.getvalue()


def info(name="a", mode=0, **fields):
    found = zipfile.ZipInfo(name)
    found.external_attr = mode << 16
    for field, value in fields.items():
        setattr(found, field, value)
    return found


def test_what_was_written_is_read_and_takes_the_same_bytes_each_time():
    content = write_stored(MEMBERS)
    assert read(content) == MEMBERS
    assert write_stored(read(content)) == content
    assert read(write_stored({})) == {}


def twice(archive):
    archive.writestr("a", b"1")
    with pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a", b"2")


ATTACKS = [
    (lambda a: a.writestr("a", b"x", zipfile.ZIP_DEFLATED), "a in it is compressed"),
    (lambda a: a.writestr(info(mode=stat.S_IFLNK | 0o777), b"/etc"), "is a link"),
    (lambda a: a.writestr(info(mode=stat.S_IFDIR | 0o777), b""), "is a link"),
    (lambda a: a.writestr("../a", b"x"), r"holds '\.\./a', which does not belong"),
    (twice, "holds a member twice"),
]


@pytest.mark.parametrize(("fill", "reason"), ATTACKS)
def test_members_that_are_never_written_are_refused(fill, reason):
    with pytest.raises(CheckpointError, match=reason):
        read(zipped(fill), lambda name: name == "a")


def test_encrypted_members_are_refused():
    content = bytearray(write_stored({"a": b"x"}))
    content[content.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(CheckpointError, match="encrypted"):
        read(bytes(content))


def test_members_that_share_their_bytes_are_refused():
    content = write_stored({"a": bytes(1000), "b": bytes(1000)})
    first = content.index(b"PK\1\2")
    second = content.index(b"PK\1\2", first + 4)
    shared = bytearray(content)
    shared[second + 42 : second + 46] = shared[first + 42 : first + 46]
    with pytest.raises(CheckpointError):
        read(bytes(shared))


def test_every_cut_and_every_more_is_refused():
    content = write_stored(MEMBERS)
    for end in range(len(content)):
        with pytest.raises(CheckpointError):
            read(content[:end])
    for more in (b"x" + content, content + b"x", content + content):
        with pytest.raises(CheckpointError):
            read(more)


def test_every_flipped_bit_is_refused_or_does_no_harm():
    content = write_stored({"a": b"first"})
    for at in range(8 * len(content)):
        broken = bytearray(content)
        broken[at // 8] ^= 1 << at % 8
        try:
            found = read(bytes(broken))
        except CheckpointError:
            continue
        assert list(found.values()) == [b"first"]  # a flag, a date, or a name


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\5\6" + bytes(17), bytes(1000)])
def test_other_files_are_refused(content):
    with pytest.raises(CheckpointError, match="is not a zip file"):
        read(content)


def test_more_than_can_be_read_again_is_not_written(monkeypatch):
    monkeypatch.setattr(stored, "LARGEST", 10)
    with pytest.raises(ArtefactError, match="11 bytes in 1 parts do not fit"):
        write_stored({"a": bytes(11)})
