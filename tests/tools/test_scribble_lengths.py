"""DFR's figure 3: a suite of trainings on strokes of several lengths."""

import cv2
import pytest
from mmengine.config import Config

from mmseg_sparse.benchmark.suite import read_suite
from tests.helpers.shipped import CONFIGS, REPOSITORY, parse
from tests.helpers.tools import call, load

CE = (
    CONFIGS
    / 'baselines/ce_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256.py'
)
DFR = CONFIGS / 'dfr/dfr_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256.py'


@pytest.fixture
def tool():
    return load('scribble_lengths')


def test_lengths_alone_differ(tool, tmp_path):
    methods = dict(CE=str(CE), DFR=str(DFR))
    suite = read_suite(tool.write_suite(methods, (1, 0, 0.3), tmp_path))
    lengths = ['0', '30', '100']
    assert [(c.method, c.labels) for c in suite.cases] == [
        (m, f'length {n}') for n in lengths for m in methods
    ]
    for case in suite.cases:
        found = Config.fromfile(case.config)
        wanted = parse(CE if case.method == 'CE' else DFR)
        length = float(case.labels.split()[1]) / 100
        if length < 1:
            steps = found.train_dataloader.dataset.pipeline
            shrink = dict(type='ShrinkScribbles', ratio=length, seed=0)
            assert steps.pop(2) == shrink
            assert steps[1]['type'] == 'LoadAnnotations'
        for key in ('model', 'train_dataloader', 'optim_wrapper'):
            assert found[key] == wanted[key]
    assert suite.cases[-1].config.stem == DFR.stem


def test_other_options_are_those_of_benchmark(tmp_path):
    done = call(
        'scribble_lengths', f'CE={CE.name}', '--lengths', '0.5', '--out',
        'out', '--list', '--seeds', '0', '3', cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines()[-2:] == [
        f'{CE.stem}_length50_seed0: to do', f'{CE.stem}_length50_seed3: to do',
    ]  # fmt: skip


def test_the_figure_has_what_is_done(tool, tmp_path):
    """From logs of finished trainings, a point for each length."""
    done = call(
        'scribble_lengths', f'CE={CE.name}', '--lengths', '0.3', '1', '0.8',
        '--out', 'out', '--import-runs', REPOSITORY / 'docs/logs',
        '--no-training', cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == 'out/lengths.png'
    table = (tmp_path / 'out/table.md').read_text()
    assert '| length 30 | CE † | 0 | 52.85 | 81.25 |' in table
    assert '| length 100 | CE † | 0 | 55.13 | 82.57 |' in table
    assert 'length 80' not in table
    picture = cv2.imread(str(tmp_path / 'out/lengths.png'))
    blue = (picture == (0xB2, 0x72, 0x00)).all(-1)
    assert blue.any(0).sum() > picture.shape[1] / 2  # a line


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ([CE.name], 'expected NAME=CONFIG, got ce_mit-b0'),
        ([f'A={CE.name}', '--lengths', '1.5'], r'must lie in [0, 1], got 1.5'),
        (['A=no.py'], "config not found: 'no.py'"),
    ],
)
def test_wrong_arguments(arguments, words, tmp_path):
    done = call('scribble_lengths', *arguments, cwd=tmp_path, check=False)
    assert done.returncode != 0
    assert words in done.stderr
