"""What the tool refuses, and how it says so."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.label_preference_case import folder, run

__all__ = ['folder', 'run']


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (['no.py', 'blp.pth'], "config not found: 'no.py'"),
        (['blp_x.py', 'no.pth'], "checkpoint not found: 'no.pth'"),
        (['ce_x.py', 'ce.pth'], 'a SegformerHead: it has no scribble branch'),
        (['blp_x.py', 'ce.pth'], r'blp_x\.py: ce\.pth is not a checkpoint of'),
        (['blp_x.py', 'blp.pth', '--out', 'blp.pth'], 'not a folder'),
        (['blp_x.py', 'blp.pth', '--baseline', 'ce_x.py', 'blp.pth'],
         r'ce_x\.py: blp\.pth is not a checkpoint of'),
        (['blp_x.py', 'blp.pth', '--masks', 'data/masks/val'],
         r'its dense mask is missing: data/masks/val.train_0000\.png'),
        (['blp_x.py', 'blp.pth', '--cfg-options',
          'train_dataloader.dataset.data_prefix.seg_map_path=lonely/strokes'],
         r'no dense masks beside .*: name their folder by --masks'),
        (['blp_x.py', 'blp.pth', '--cfg-options',
          'train_dataloader.dataset.data_root=nowhere'], r'blp_x\.py: .*'),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line(
    arguments: list[str], told: str, run: Callable[..., str]
) -> None:
    if '--out' not in arguments:
        arguments = [*arguments, '--out', uuid.uuid4().hex]
    with pytest.raises(SystemExit, match=told) as stop:
        run(*arguments)
    assert '\n' not in str(stop.value.code)
    assert not list(Path().glob('*/distribution.csv.part'))


@pytest.mark.parametrize(
    ('option', 'told'),
    [
        (['--limit', '0'], '--limit: must be at least 1, got 0'),
        (['--gamma', '-1'], '--gamma: must be at least 0, got -1'),
        (['--masks', 'no'], "--masks: no folder 'no'"),
    ],
)
def test_options_out_of_range(
    option: list[str],
    told: str,
    run: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit, match='2'):
        run('blp_x.py', 'blp.pth', *option)
    assert told in capsys.readouterr().err
