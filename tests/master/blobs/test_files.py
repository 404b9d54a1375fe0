"""The directory of blobs, for itself: what stands under a hash's name is whole, whatever the disk does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tq.common.errors import InvalidArgument, StoreError, UnknownBlob
from tq.common.values.blob import Blob
from tq.master.blobs.files import SYNC_EVERY_BYTES, UPLOADS, BlobFiles, PartFile

DATA = b"some content"


@pytest.fixture(params=[True, False], ids=["synced", "not synced"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> BlobFiles:
    files = BlobFiles(tmp_path / "blobs", sync=request.param)
    files.prepare()
    return files


def parts(files: BlobFiles) -> list[Path]:
    return list((files.root / UPLOADS).iterdir())


def put(files: BlobFiles, data: bytes) -> Blob:
    blob = Blob.of(data)
    part = files.new_part(blob.digest)
    files.append(part, data)
    files.finish(part)
    return blob


def test_content_is_under_its_hash_when_it_is_finished_and_not_before(files: BlobFiles) -> None:
    blob = Blob.of(DATA)
    part = files.new_part(blob.digest)
    for at in range(len(DATA)):
        files.append(part, DATA[at : at + 1])
        assert files.size_of(blob.digest) is None
    files.finish(part)
    assert files.size_of(blob.digest) == len(DATA)
    assert files.read(blob.digest, len(DATA), 5, 7) == b"content"
    assert parts(files) == []
    assert files.path(blob.digest).stat().st_mode & 0o077 == 0


def test_a_large_part_is_synced_on_its_way(tmp_path: Path) -> None:
    files = BlobFiles(tmp_path / "blobs", sync=True)
    files.prepare()
    part = files.new_part(b"h" * 32)
    for _ in range(3):
        files.append(part, bytes(SYNC_EVERY_BYTES // 2))
    assert (part.written, part.synced) == (SYNC_EVERY_BYTES * 3 // 2, SYNC_EVERY_BYTES)


def test_a_full_disk_ends_the_upload_and_gives_its_room_back(files: BlobFiles) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    part = files.new_part(Blob.of(DATA).digest)
    part.path.symlink_to("/dev/full")
    for _ in range(2):  # later chunks get the same error
        with pytest.raises(
            StoreError, match="the disk of the master says: No space left on device; free some"
        ):
            files.append(part, DATA)
    assert parts(files) == []


def test_other_content_than_its_hash_says_is_thrown_away(files: BlobFiles) -> None:
    part = files.new_part(Blob.of(DATA).digest)
    files.append(part, DATA.upper())
    with pytest.raises(InvalidArgument, match="not the content"):
        files.finish(part)
    assert parts(files) == files.folders() == []


def test_a_directory_that_cannot_be_written_is_reported_and_nothing_is_left(files: BlobFiles) -> None:
    blob = Blob.of(DATA)
    files.path(blob.digest).parent.write_text("a file where the folder should be")
    part = files.new_part(blob.digest)
    files.append(part, DATA)
    with pytest.raises(StoreError, match="the disk of the master says"):
        files.finish(part)
    assert parts(files) == []


def test_what_was_given_up_takes_nothing_more(files: BlobFiles) -> None:
    part = files.new_part(Blob.of(DATA).digest)
    files.append(part, DATA[:3])
    files.discard(part)
    with pytest.raises(StoreError, match="given up"):
        files.append(part, DATA[3:])
    assert parts(files) == []


def test_a_file_of_another_length_is_not_read_from(files: BlobFiles) -> None:
    blob = put(files, DATA)
    os.truncate(files.path(blob.digest), 3)
    with pytest.raises(
        StoreError, match="has 3 of 12 bytes on the disk of the master; submit the content again"
    ):
        files.read(blob.digest, len(DATA), 0, 1)
    files.remove(blob.digest)
    files.remove(blob.digest)
    with pytest.raises(UnknownBlob, match="is missing"):
        files.read(blob.digest, len(DATA), 0, 1)


def test_only_names_that_are_hashes_are_listed(files: BlobFiles) -> None:
    blob = put(files, DATA)
    folder = files.path(blob.digest).parent
    (folder / "notes.txt").touch()
    (folder / blob.hash[2:].upper()).touch()
    (files.root / "lost+found").mkdir()
    (files.root / "file").touch()
    assert files.folders() == sorted([folder.name, "lost+found"])
    assert files.hashes(folder.name) == [blob.digest]
    assert files.hashes("lost+found") == []


def test_a_new_process_throws_away_the_parts_of_the_old_one(files: BlobFiles) -> None:
    blob = put(files, DATA)
    files.append(files.new_part(b"h" * 32), DATA)
    assert len(parts(files)) == 1
    again = BlobFiles(files.root, sync=False)
    again.prepare()
    assert parts(again) == []
    assert again.read(blob.digest, len(DATA), 0, len(DATA)) == DATA
    assert isinstance(again.new_part(b"h" * 32), PartFile)
