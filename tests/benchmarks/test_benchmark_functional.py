import json

import pytest

from tests.helpers.tools import call


def run(*arguments, cwd):
    return call('benchmark_functional', *arguments, cwd=cwd, check=False)


@pytest.mark.parametrize(
    ('case', 'size', 'faster', 'smaller'),
    [
        ('potts_energy', '48 64', 3, 12),
        ('feature_consistency', '48 64', 2, 12),
        ('dense_crf_energy', '32 40', 1.5, 20),
        ('mean_field', '32 40', 0.4, 20),
        ('tree_energy', '32 40', 1.5, 8),
        ('local_aggregate', '56 60', 1.5, 20),
        ('pixel_adaptive_refine', '64 80', 3, 8),
    ],
)
def test_finds_the_literal_form_slower_and_larger(
    case, size, faster, smaller, tmp_path
):
    """It also compares results and gradients and stops where they differ."""
    done = run(
        case, '--size', *size.split(), '--channels', '24', '--radius', '4',
        '--repeats', '3', '--out', 'out.json', cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one = json.loads((tmp_path / 'out.json').read_text())[case]
    assert one['time_ratio'] > faster
    assert one['memory_ratio'] > smaller
    assert one['difference'] < 5e-5


def test_shows_how_time_and_memory_grow(tmp_path):
    run(
        'local_aggregate', '--size', '28', '30', '--channels', '24',
        '--repeats', '3', '--out', 'out.json', cwd=tmp_path,
    )  # fmt: skip
    figures = json.loads((tmp_path / 'out.json').read_text())
    growth = figures['local_aggregate']['growth']
    given, larger = growth['as given'], growth['pixels x 4']
    # Quadratic in time, linear in memory.
    assert larger['ours_s'] > 6 * given['ours_s']
    assert 3.5 < larger['ours_mib'] / given['ours_mib'] < 4.5


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--radius', '0'], '--radius must be at least 1, got 0'),
        (['--size', '0', '4'], '--size must be at least 1 1, got (0, 4)'),
        (['--batch-size', '-1'], '--batch-size must be at least 1'),
        (['resize'], "a case must be in ('potts_energy',"),
    ],
)
def test_wrong_arguments_are_named(arguments, message, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
