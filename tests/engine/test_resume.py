"""Checkpoints that are whole, and the one to go on from."""

import os
from pathlib import Path

import pytest
import torch

from mmseg_sparse.engine import resume


def save(path: Path, time: int) -> Path:
    torch.save({'meta': {'iter': time}}, path)
    os.utime(path, (time, time))
    return path


def name_last(folder: Path, checkpoint: Path | str) -> None:
    (folder / 'last_checkpoint').write_text(str(checkpoint))


def find(folder: Path) -> Path | None:
    return resume.find_unnamed_checkpoint(folder, folder, 'iter_{}.pth')


def test_backend_writes_whole_files(tmp_path: Path) -> None:
    backend = resume.WholeFileBackend()
    backend.put(b'12', tmp_path / 'bytes')
    backend.put_text('µ', tmp_path / 'text')
    assert backend.get(tmp_path / 'bytes') == b'12'
    assert backend.get_text(tmp_path / 'text') == 'µ'


def test_remove_parts_leaves_other_files(tmp_path: Path) -> None:
    for name in ('iter_1.pth', 'iter_2.pth.part', 'notes.part'):
        (tmp_path / name).touch()
    resume.remove_parts(tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {'iter_1.pth', 'notes.part'}


def test_is_complete_sees_a_cut_file(tmp_path: Path) -> None:
    path = save(tmp_path / 'iter_1.pth', 1)
    assert resume.is_complete(path)
    path.write_bytes(path.read_bytes()[:-30])
    assert not resume.is_complete(path)
    assert not resume.is_complete(tmp_path / 'missing.pth')


def test_finds_a_complete_checkpoint_not_yet_named(tmp_path: Path) -> None:
    assert find(tmp_path) is None
    first = save(tmp_path / 'iter_9.pth', 100)
    name_last(tmp_path, first)
    assert find(tmp_path) is None
    second = save(tmp_path / 'iter_10.pth', 200)
    assert find(tmp_path) == second
    cut = save(tmp_path / 'iter_11.pth', 300)
    cut.write_bytes(cut.read_bytes()[:-30])
    assert find(tmp_path) == second


def test_never_named_counts_as_complete(tmp_path: Path) -> None:
    """Killed between the first checkpoint and its name."""
    first = save(tmp_path / 'iter_5.pth', 100)
    assert find(tmp_path) == first


def test_leaves_an_older_run_in_the_same_folder_alone(tmp_path: Path) -> None:
    save(tmp_path / 'iter_2000.pth', 100)
    name_last(tmp_path, save(tmp_path / 'iter_500.pth', 200))
    assert find(tmp_path) is None


@pytest.mark.parametrize('content', ['', 'iter_8.pth'])
def test_replaces_a_name_that_leads_nowhere(
    tmp_path: Path, content: str
) -> None:
    """Stock MMEngine may be killed while it writes the name or the file."""
    save(tmp_path / 'iter_4.pth', 200)
    last = save(tmp_path / 'iter_6.pth', 100)
    (tmp_path / 'iter_8.pth').write_bytes(b'PK cut short')
    name_last(tmp_path, content and tmp_path / content)
    assert find(tmp_path) == last
