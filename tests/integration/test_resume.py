"""A resumed training equals the uninterrupted one, bit for bit."""

from pathlib import Path

import pytest
import torch

import mmseg_sparse  # noqa: F401
from tests.helpers import tiny


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('data')
    tiny.write_images(root)
    return root


def iterations(count: int, val_interval: int) -> dict:
    return dict(
        type='IterBasedTrainLoop',
        max_iters=count,
        val_interval=val_interval,
    )


@pytest.mark.parametrize('num_workers', [0, 2])
@pytest.mark.parametrize('seed', [3, None], ids=['seed', 'no-seed'])
def test_resume_equals_one_go(
    data: Path, tmp_path: Path, num_workers: int, seed: int | None
) -> None:
    """40 iterations are 20 + 20, validated at 15 and 30 in one go.

    The resumed run creates its validation workers at 30, the other one had
    done so at 15. Without a seed in the config each run draws one, and the
    second half has to take up that of the first.
    """
    cfg = tiny.config(data, num_workers=num_workers)
    cfg['randomness'] = dict(seed=seed)
    cfg['default_hooks']['checkpoint']['interval'] = 20
    whole = tiny.train(
        cfg, tmp_path / 'whole', train_cfg=iterations(40, val_interval=15)
    )
    parts = tmp_path / 'parts'
    if seed is None:  # go on from the first half of the same run
        parts.mkdir()
        (whole / 'iter_20.pth').rename(parts / 'iter_20.pth')
        (parts / 'last_checkpoint').write_text(str(parts / 'iter_20.pth'))
    else:
        tiny.train(cfg, parts, train_cfg=iterations(20, val_interval=15))
        first = tiny.state(parts / 'iter_20.pth')
        assert not tiny.differences(first, tiny.state(whole / 'iter_20.pth'))
    tiny.train(
        cfg, parts, train_cfg=iterations(40, val_interval=15), resume=True
    )
    expected = tiny.state(whole / 'iter_40.pth')
    assert not tiny.differences(expected, tiny.state(parts / 'iter_40.pth'))


def test_a_teacher_resumes_with_its_student(
    data: Path, tmp_path: Path
) -> None:
    cfg = tiny.config(data)
    cfg['model'].update(
        type='MeanTeacherEncoderDecoder', teacher_begin=3, teacher_ramp=4,
        mix=0.5, jitter=0.2, thresholds=(0.0, 0.9),
    )  # fmt: skip
    cfg['default_hooks']['checkpoint']['interval'] = 6
    twelve = dict(train_cfg=iterations(12, val_interval=5))
    whole = tiny.train(cfg, tmp_path / 'whole', **twelve)
    parts = tmp_path / 'parts'
    tiny.train(cfg, parts, train_cfg=iterations(6, val_interval=5))
    tiny.train(cfg, parts, resume=True, **twelve)
    expected = tiny.state(whole / 'iter_12.pth')
    assert expected['state_dict']['teacher.steps'] == 12
    assert not tiny.differences(expected, tiny.state(parts / 'iter_12.pth'))


def test_resume_from_best_and_between_validations(
    data: Path, tmp_path: Path
) -> None:
    """A checkpoint written again during validation resumes all the same."""
    cfg = tiny.config(data)
    cfg['default_hooks']['checkpoint'].update(
        save_best='mIoU', interval=5, max_keep_ckpts=-1
    )
    loop = iterations(10, val_interval=5)
    whole = tiny.train(cfg, tmp_path / 'whole', train_cfg=loop)
    best = whole / 'best_mIoU_iter_5.pth'
    assert best.is_file() or (whole / 'best_mIoU_iter_10.pth').is_file()
    parts = tmp_path / 'parts'
    parts.mkdir()
    (parts / 'iter_5.pth').write_bytes((whole / 'iter_5.pth').read_bytes())
    (parts / 'last_checkpoint').write_text(str(parts / 'iter_5.pth'))
    tiny.train(cfg, parts, train_cfg=loop, resume=True)
    expected = tiny.state(whole / 'iter_10.pth')
    assert not tiny.differences(expected, tiny.state(parts / 'iter_10.pth'))


def test_load_from_does_not_take_over_the_random_state(
    data: Path, tmp_path: Path
) -> None:
    """Fine-tuning from a checkpoint is a new run with its own seed."""
    loop = iterations(2, val_interval=100)
    cfg = tiny.config(data, train_cfg=loop)
    first = tiny.train(cfg, tmp_path / 'first') / 'iter_2.pth'
    plain = torch.load(first, weights_only=True)
    del plain['random_state']
    torch.save(plain, tmp_path / 'plain.pth')
    runs = [
        tiny.train(cfg, tmp_path / path.stem, load_from=str(path))
        for path in (tmp_path / 'plain.pth', first)
    ]
    ours, stock = (tiny.state(run / 'iter_2.pth') for run in runs)
    assert not tiny.differences(ours, stock)


def test_stock_checkpoint_resumes_with_a_warning(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    cfg = tiny.config(data, train_cfg=iterations(2, val_interval=100))
    tiny.train(cfg, tmp_path)
    path = tmp_path / 'iter_2.pth'
    stock = torch.load(path, weights_only=True)
    del stock['random_state']
    torch.save(stock, path)
    loop = iterations(3, val_interval=100)
    tiny.train(cfg, tmp_path, train_cfg=loop, resume=True)
    assert 'random state of 0 ranks' in capfd.readouterr().out
    assert (tmp_path / 'iter_3.pth').is_file()


def test_stock_hook_does_not_resume_exactly(
    data: Path, tmp_path: Path
) -> None:
    """Without our hook the same comparison sees a difference."""
    cfg = tiny.config(data)
    cfg['default_hooks']['checkpoint'].update(
        type='mmengine.CheckpointHook', interval=3
    )
    loop = iterations(6, val_interval=100)
    whole = tiny.train(cfg, tmp_path / 'whole', train_cfg=loop)
    parts = tmp_path / 'parts'
    tiny.train(cfg, parts, train_cfg=iterations(3, val_interval=100))
    tiny.train(cfg, parts, train_cfg=loop, resume=True)
    expected = tiny.state(whole / 'iter_6.pth')
    assert tiny.differences(expected, tiny.state(parts / 'iter_6.pth'))
