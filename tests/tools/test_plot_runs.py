"""The curve of runs over a number."""

import json
from functools import partial

import numpy as np
import pytest
from PIL import Image

from tests.helpers import tools


def write_log(path, *values):
    lines = [{'loss': 0.5, 'iter': 50}]
    lines += [{'mIoU': value, 'aAcc': 2 * value} for value in values]
    path.write_text('\n'.join(map(json.dumps, lines)) + '\n')
    return path


@pytest.fixture
def run(tmp_path):
    return partial(tools.call, 'plot_runs', cwd=tmp_path, check=False)


def test_last_validation_counts_and_runs_of_one_x_are_averaged(tmp_path, run):
    write_log(tmp_path / 'a', 11.0, 20.0)
    write_log(tmp_path / 'b', 30.5)
    write_log(tmp_path / 'c', 32.5)
    done = run('o.png', '50=b', '0=a', '50=c', '--bound', 'a')
    assert done.stdout.splitlines()[:2] == [
        '0: 20.00 (1 runs)',
        '50: 31.50 (2 runs)',
    ]
    first = np.asarray(Image.open(tmp_path / 'o.png'))
    done = run('p.png', '0=a', '50=b', '--metric', 'aAcc')
    assert '50: 61.00 (1 runs)' in done.stdout
    second = np.asarray(Image.open(tmp_path / 'p.png'))
    assert first.shape == second.shape
    assert (first != second).any()


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['o.png', 'a'], "expected X=LOG with a number X, got 'a'"),
        (['o.png', 'x=a'], "got 'x=a'"),
        (
            ['o.png', '1=a', '--metric', 'mDice'],
            "validation has no 'mDice'",
        ),
        (['o.png', '1=text'], "text, line 1: expected a JSON object, got 'h'"),
        (['o.png', '1=gone'], 'gone'),
        (['o.jpg', '1=a'], 'OUT must be a .png, got o.jpg'),
        (['old.png', '1=a'], 'old.png exists'),
    ],
)
def test_errors_name_what_was_given(tmp_path, run, arguments, words):
    write_log(tmp_path / 'a', 1.0)
    (tmp_path / 'text').write_text('h')
    (tmp_path / 'old.png').write_bytes(b'kept')
    done = run(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'o.png').exists()
    assert (tmp_path / 'old.png').read_bytes() == b'kept'


def test_the_command_ends_with_the_exit_status_of_main(tmp_path):
    done = tools.run('plot_runs', 'o.png', '1=gone', cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith('python -m mmseg_sparse plot_runs: error: ')
