import os
from pathlib import Path

import pytest

from mmseg_sparse.utils import atomic


def test_write_whole_replaces_or_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'new' / 'a.pth'
    atomic.write_whole(path, b'first')
    atomic.write_whole(path, b'second')
    assert path.read_bytes() == b'second'
    assert list(path.parent.iterdir()) == [path]

    def broken(descriptor: int) -> None:
        raise OSError('disk full')

    monkeypatch.setattr(atomic.os, 'fsync', broken)
    with pytest.raises(OSError, match='disk full'):
        atomic.write_whole(path, b'third')
    assert path.read_bytes() == b'second'
    assert list(path.parent.iterdir()) == [path]


def test_write_all_whole_writes_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / 'kept'
    kept.write_bytes(b'before')
    fresh = tmp_path / 'new' / 'deep' / 'file'
    pair = {kept: b'after', fresh: b'too'}
    synced = os.fsync
    calls: list[int] = []

    def fail_second(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 2:
            raise OSError('disk full')
        synced(descriptor)

    monkeypatch.setattr(atomic.os, 'fsync', fail_second)
    with pytest.raises(OSError, match='disk full'):
        atomic.write_all_whole(pair)
    assert kept.read_bytes() == b'before'
    assert list(tmp_path.iterdir()) == [kept]
    atomic.write_all_whole(pair)
    assert {path: path.read_bytes() for path in pair} == pair
