import json

import pytest

from tests.helpers.tools import call


def run(*arguments, cwd):
    return call('benchmark_refiners', *arguments, cwd=cwd, check=False)


def test_finds_the_literal_form_slower_and_larger(tmp_path):
    """It also compares outputs and gradients and stops where they differ."""
    done = run(
        'local_aggregate', '--size', '56', '60', '--channels', '24',
        '--repeats', '3', '--out', 'out.json', cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '1x21x56x60, 24 channels' in done.stdout
    figures = json.loads((tmp_path / 'out.json').read_text())
    one = figures['local_aggregate']
    assert one['time_ratio'] > 1.5
    assert one['memory_ratio'] > 20
    assert one['difference'] < 2e-5
    growth = one['growth']
    whole, quarter = growth['as given'], growth['pixels / 4']
    # Quadratic in time, linear in memory.
    assert whole['ours_s'] > 6 * quarter['ours_s']
    assert 3.5 < whole['ours_mib'] / quarter['ours_mib'] < 4.5


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--channels', '0'], '--channels must be at least 1, got 0'),
        (['--size', '0', '4'], '--size must be at least 1 1, got (0, 4)'),
        (['resize'], "a case must be in ('local_aggregate',"),
    ],
)
def test_wrong_arguments_are_named(arguments, message, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
