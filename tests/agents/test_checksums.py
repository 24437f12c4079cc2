"""A file's own checksum tells every flipped bit outside the words that announce it."""

from __future__ import annotations

import pytest

from drivemem_agents.checksums import BLANK, has_changed, seal


def test_every_flipped_bit_is_seen_or_leaves_the_data_as_they_are(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"head" + BLANK.encode() + b"tail")
    seal(path)
    data = path.read_bytes()
    assert not has_changed(data) and data[:4] == b"head" and data[-4:] == b"tail"
    words = range(4, 4 + len(BLANK) - 64)
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        assert has_changed(bytes(changed)) == (bit // 8 not in words)


def test_a_file_without_a_checksum_is_taken_as_it_is(tmp_path):
    assert not has_changed(b"from before")
    (tmp_path / "old").write_bytes(b"from before")
    with pytest.raises(ValueError, match="no place for a checksum"):
        seal(tmp_path / "old")
