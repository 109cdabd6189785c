"""What went wrong is one sentence with the file and the remedy."""

import argparse
import errno
from pathlib import Path

import mmengine.fileio as fileio
import pytest
import torch
from mmengine.runner.checkpoint import CheckpointLoader

import mmseg_sparse  # noqa: F401
from mmseg_sparse.datasets import SparseSegDataset
from mmseg_sparse.engine.failure import report
from mmseg_sparse.engine.hooks import LossError
from mmseg_sparse.utils import atomic
from tests.helpers.own_data import write_image, write_labels


def load(path: Path) -> object:
    return CheckpointLoader.load_checkpoint(str(path), 'cpu', 'silent')


@pytest.mark.parametrize('kept', [0, 100, 0.5])
def test_checkpoints_that_are_cut_short(tmp_path: Path, kept: float) -> None:
    path = tmp_path / 'a.pth'
    torch.save({'state_dict': {'a': torch.zeros(99)}}, path)
    assert load(path)['state_dict']['a'].shape == (99,)
    whole = path.read_bytes()
    size = int(kept * len(whole)) if kept < 1 else int(kept)
    path.write_bytes(whole[:size])
    words = rf'^{path} \({size} bytes\) is cut short or is no checkpoint: '
    with pytest.raises(ValueError, match=words):
        load(path)
    with pytest.raises(FileNotFoundError, match=r'not found: .*no\.pth'):
        load(tmp_path / 'no.pth')


def test_a_checkpoint_with_code_gets_no_advice_to_run_it(
    tmp_path: Path,
) -> None:
    torch.save({'meta': argparse.Namespace()}, tmp_path / 'a.pth')
    with pytest.raises(
        ValueError, match=r'type argparse\.Namespace'
    ) as caught:
        load(tmp_path / 'a.pth')
    assert 'weights_only' not in str(caught.value)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / 'iter_2.pth'
    path.write_bytes(b'old')

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(atomic.os, 'fsync', full)
    with pytest.raises(OSError, match='No space') as caught:
        atomic.write_whole(path, b'new')
    assert report(caught.value) == (
        f'{path} cannot be written: No space left on device; free some '
        'space, nothing half written is left'
    )
    assert [p.name for p in tmp_path.iterdir()] == ['iter_2.pth']
    assert path.read_bytes() == b'old'


def test_the_last_checkpoint_is_named(tmp_path: Path) -> None:
    path = tmp_path / 'iter_5.pth'
    (tmp_path / 'last_checkpoint').write_text(str(path))
    error = IndexError('of the model')
    assert 'checkpoint' not in report(error, str(tmp_path))
    torch.save({}, path)
    text = report(error, str(tmp_path))
    assert text.startswith('IndexError: of the model; the last complete ch')
    assert f'is {path}, go on with: ' in text
    # This one has named it.
    assert report(LossError('nan'), str(tmp_path)) == 'nan'


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (torch.OutOfMemoryError('CUDA out of memory. Tried'), 'CUDA out of '
         'memory: lower train_dataloader.batch_size'),
        (RuntimeError('DataLoader worker (pid(s) 3) exited unexpectedly'),
         'a process that loads data was killed, mostly for want of memory'),
        (RuntimeError('DataLoader worker (pid 3) is killed by signal: Killed'),
         'a process that loads data was killed, mostly for want of memory'),
        (ValueError('class `A` in b/c.py: class `D` in e.py: x\n y'), 'x y'),
        (KeyError('A is not in the registry'), 'A is not in the registry'),
        (ValueError(), 'ValueError'),
        (FileNotFoundError(2, 'No such file', 'data/camvid/images/train'),
         'data/camvid/images/train: No such file (docs/datasets.md says'),
        (FileNotFoundError(2, 'No such file', 'work_dirs/demo/data/images'),
         'work_dirs/demo/data/images: No such file (python -m mmseg_sparse '
         'make_toy_dataset makes it)'),
        (FileNotFoundError(2, 'No such file', 'own/images'),
         'own/images: No such file'),
    ],
)  # fmt: skip
def test_other_errors(error: Exception, words: str) -> None:
    assert report(error).startswith(words)
    assert '\n' not in report(error)


def test_a_circle_of_links(tmp_path: Path) -> None:
    inner = tmp_path / 'images' / 'a'
    inner.mkdir(parents=True)
    (tmp_path / 'data').symlink_to(tmp_path / 'images')
    (inner / 'up').symlink_to('..')
    root = str(tmp_path / 'data')
    with pytest.raises(OSError, match='symbolic links') as caught:
        list(fileio.list_dir_or_file(root, recursive=True))
    assert report(caught.value) == (
        f'{root}/a/up is a link that leads in a circle: remove it'
    )
    # Our data sets do not follow it.
    write_image(inner / 'x.jpg')
    write_labels(tmp_path / 'labels/a/x.png', [[0] * 7] * 5)
    dataset = SparseSegDataset(
        data_root=str(tmp_path), classes=('a', 'b'),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
    )  # fmt: skip
    assert len(dataset) == 1
