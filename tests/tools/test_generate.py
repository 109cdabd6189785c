"""The commands that write heat maps and pseudo labels."""

import re
from pathlib import Path

import pytest
from mmengine.registry import init_default_scope

from tests.helpers import generator_case as case
from tests.helpers import tools

NUMBER = len(case.IMAGES)
GIVEN = ('AFASegmentor.py', 'afa.pth')


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    init_default_scope('mmseg')
    root = tmp_path_factory.mktemp('data')
    case.write_images(root)
    cfg = case.config(root, case.afa_model())
    case.checkpoint(cfg, root / 'afa.pth')
    return root


def lines_of(root, command, *arguments):
    done = tools.call('generate', command, *GIVEN, *arguments, cwd=root)
    assert 'DeprecationWarning: generate' not in done.stderr
    return done.stdout.splitlines()


def error_of(root, command, config, *arguments):
    done = tools.call(
        'generate', command, config, *arguments, cwd=root, check=False
    )
    assert done.returncode == 1
    (line,) = (x for x in done.stderr.splitlines() if 'generate: ' in x)
    assert done.stderr.endswith(f'{line}\n')
    return line


def test_heat_maps(root):
    again = ('heatmaps', 'cam', '--background', '0.4')
    *_, read, last = lines_of(root, *again)
    assert last == f'cam: {NUMBER} written, 0 skipped'
    assert "dict(type='LoadHeatmaps', root='cam', img_root='" in read
    assert lines_of(root, *again)[-1] == f'cam: 0 written, {NUMBER} skipped'
    error = error_of(root, 'heatmaps', *GIVEN, 'cam')
    assert error.startswith(
        'python -m mmseg_sparse generate: error: cam is of another origin: '
        'background=0.4'
    )
    last = lines_of(root, 'heatmaps', 'cam', '--overwrite')[-1]
    assert last == f'cam: {NUMBER} written, 0 skipped'


def test_pseudo_labels(root):
    lines = lines_of(
        root, 'pseudo-labels', 'labels', '--filter-tags',
        '--min-confidence', '0.3', '--split', 'test', '--no-confidence',
        '--cfg-options',
        'test_dataloader.dataset.dataset.pipeline.3.type='
        'PackSparseInputs',
    )  # fmt: skip
    assert lines[-1] == f'labels: {NUMBER} written, 0 skipped'
    assert 'train_dataloader = dict(' in lines
    assert not (root / 'labels/confidence').exists()


@pytest.mark.parametrize(
    ('old', 'command'),
    [
        ('generate_heatmaps', 'heatmaps'),
        ('generate_pseudo_labels', 'pseudo-labels'),
    ],
)
def test_old_names_do_the_same(root, old, command):
    done = tools.call(old, *GIVEN, old, cwd=root)
    assert done.stdout.endswith(f'{old}: {NUMBER} written, 0 skipped\n')
    assert (
        f'DeprecationWarning: {old} is now called `python -m mmseg_sparse '
        f'generate {command}`'
    ) in done.stderr
    last = lines_of(root, command, old)[-1]
    assert last == f'{old}: 0 written, {NUMBER} skipped'


def test_errors_are_one_line(root):
    def refused(match, *arguments, config='AFASegmentor.py'):
        found = error_of(root, 'pseudo-labels', config, 'afa.pth', *arguments)
        assert re.search(match, found)

    refused(r"config not found: 'no\.py'", 'x', config='no.py')
    refused(r'min_confidence must lie in .* got 3', 'x',
            '--min-confidence', '3')  # fmt: skip
    refused('has no val_dataloader', 'x', '--split', 'val')
    refused(r'a/0\.png: has no tags', 'y', '--split', 'test', '--filter-tags')
    (root / 'file').write_text('')
    refused('file is no', 'file')
