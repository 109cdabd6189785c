"""The commands that write heat maps and pseudo labels."""

import runpy
import sys
from pathlib import Path

import pytest
from mmengine.registry import init_default_scope

from tests.helpers import generator_case as case
from tests.helpers.shipped import REPOSITORY

NUMBER = len(case.IMAGES)


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    init_default_scope('mmseg')
    root = tmp_path_factory.mktemp('data')
    case.write_images(root)
    cfg = case.config(root, case.afa_model())
    case.checkpoint(cfg, root / 'afa.pth')
    return root


@pytest.fixture
def run(root, monkeypatch, capsys):
    """Run a tool in the folder; return its last lines."""

    def tool(name, *arguments, config='AFASegmentor.py'):
        argv = [f'{name}.py', config, 'afa.pth', *arguments]
        monkeypatch.setattr(sys, 'argv', argv)
        monkeypatch.setattr(sys, 'path', list(sys.path))
        monkeypatch.chdir(root)
        script = REPOSITORY / f'tools/pseudo_labels/{name}.py'
        runpy.run_path(str(script), run_name='__main__')
        return capsys.readouterr().out.splitlines()

    return tool


def test_heat_maps(run):
    *_, read, last = run('generate_heatmaps', 'cam', '--background', '0.4')
    assert last == f'cam: {NUMBER} written, 0 skipped'
    assert "dict(type='LoadHeatmaps', root='cam', img_root='" in read
    again = run('generate_heatmaps', 'cam', '--background', '0.4')
    assert again[-1] == f'cam: 0 written, {NUMBER} skipped'
    with pytest.raises(SystemExit, match=r'^generate_heatmaps\.py: error: cam '
                       r'is of another origin: background=0\.4'):  # fmt: skip
        run('generate_heatmaps', 'cam')
    last = run('generate_heatmaps', 'cam', '--overwrite')[-1]
    assert last == f'cam: {NUMBER} written, 0 skipped'


def test_pseudo_labels(run, root):
    lines = run(
        'generate_pseudo_labels', 'labels', '--filter-tags',
        '--min-confidence', '0.3', '--split', 'test', '--no-confidence',
        '--cfg-options',
        'test_dataloader.dataset.dataset.pipeline.3.type='
        'PackSparseInputs',
    )  # fmt: skip
    assert lines[-1] == f'labels: {NUMBER} written, 0 skipped'
    assert 'train_dataloader = dict(' in lines
    assert not (root / 'labels/confidence').exists()


def test_errors_are_one_line(run, root):
    def refused(match, *arguments, **options):
        with pytest.raises(SystemExit, match=match) as found:
            run('generate_pseudo_labels', *arguments, **options)
        assert '\n' not in str(found.value)

    refused(r"config not found: 'no\.py'", 'x', config='no.py')
    refused(r'min_confidence must lie in .* got 3', 'x',
            '--min-confidence', '3')  # fmt: skip
    refused('has no val_dataloader', 'x', '--split', 'val')
    refused(r'a/0\.png: has no tags', 'y', '--split', 'test', '--filter-tags')
    (root / 'file').write_text('')
    refused('file is no folder', 'file')
