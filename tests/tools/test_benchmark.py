"""The command line of the benchmark."""

from functools import partial

import pytest

from tests.helpers import tools


@pytest.fixture
def run(tmp_path):
    return partial(tools.call, 'benchmark', cwd=tmp_path, check=False)


def test_missing_data_are_refused_in_one_sentence(run, tmp_path):
    done = run('acdc')
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert 'the suite acdc needs data/acdc/scribbles/train, which is' in line
    assert 'Valvano' in line
    assert not (tmp_path / 'work_dirs').exists()


def test_lists_trainings_without_their_data(run):
    done = run('camvid', '--list', '--only', 'DFR', 'scribble')
    assert done.stdout.splitlines() == [
        f'dfr_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256_seed{k}: to do'
        for k in (0, 1, 2)
    ]


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['foo'], "suite not found: 'foo' is neither a file nor a suite"),
        (['toy', '--processes', '0'], '--processes: must be at least 1'),
        (['toy', '--only', 'AFA'], "nothing of the suite toy is called 'AFA'"),
        (['toy', '--overwrite', 'ce'], 'expected a stage of data'),
    ],
)
def test_errors_name_what_was_given(run, arguments, words):
    done = run(*arguments)
    assert done.returncode != 0
    assert words in done.stderr
