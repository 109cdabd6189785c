import json

from tests.benchmarks.test_benchmark_refiners import run


def test_finds_the_literal_form_of_par_slower_and_larger(tmp_path):
    """It also compares both forms and stops where they differ."""
    done = run(
        'pixel_adaptive_refine', '--size', '64', '80', '--repeats', '3',
        '--out', 'out.json', cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one = json.loads((tmp_path / 'out.json').read_text())
    one = one['pixel_adaptive_refine']
    assert one['time_ratio'] > 5
    assert one['memory_ratio'] > 8
    assert one['difference'] < 1e-5
