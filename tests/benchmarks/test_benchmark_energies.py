import json

import pytest

from tests.helpers.tools import call


def run(*arguments, cwd):
    return call('benchmark_energies', *arguments, cwd=cwd, check=False)


def test_finds_the_literal_form_slower_and_larger(tmp_path):
    """It also compares the values and stops where they differ."""
    done = run(
        '--size', '48', '64', '--channels', '16', '--radius', '4',
        '--repeats', '2', '--out', 'out.json', cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert 'potts_energy, 2x21x48x64' in done.stdout
    figures = json.loads((tmp_path / 'out.json').read_text())
    for name in ('potts', 'feature'):
        assert figures[name]['time_ratio'] > 3
        assert figures[name]['memory_ratio'] > 12
    growth = figures['growth']
    assert growth['radius x 2']['potts_s'] > growth['as given']['potts_s']


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--radius', '0'], '--radius must be at least 1, got 0'),
        (['--size', '0', '4'], '--size must be at least 1 1, got (0, 4)'),
        (['--batch-size', '-1'], '--batch-size must be at least 1'),
    ],
)
def test_wrong_arguments_are_named(arguments, message, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
