"""The run on a GPU, tried on the CPU at small sizes."""

import json

import pytest
import torch

from tests.helpers.tools import call, load

SMALL = ['--size', '32', '48', '--batch-size', '2', '--channels', '8',
         '--radius', '2', '--repeats', '1']  # fmt: skip
ON_CPU = ['--device', 'cpu', '--no-tests', '--out', 'out.json', *SMALL]


def run(*arguments, cwd, check=True):
    return call('benchmark_gpu', *arguments, cwd=cwd, check=check)


def rows(folder):
    return json.loads((folder / 'out.json').read_text())['rows']


@pytest.fixture
def in_process(monkeypatch):
    """Configs in this process: starting one for each takes seconds."""
    steps = load('benchmark_gpu').benchmark_step

    class Here:
        def __init__(self, path, args):
            self.path, self.trainer = path, steps.Trainer(path, args)

        def ask(self, request):
            return getattr(self.trainer, request)()

        def stop(self):
            pass

    monkeypatch.setattr(steps, 'Remote', Here)


def test_functions_are_measured_in_both_precisions(tmp_path):
    done = run(*ON_CPU, '--methods', cwd=tmp_path)
    found = rows(tmp_path)
    cases = load('benchmark_gpu').CASES
    assert [row['precision'] for row in found] == (
        ['float32', 'bfloat16'] * len(cases)
    )
    by_name = {(row['name'], row['precision']): row for row in found}
    wide = by_name['`potts_energy`, 2×21×32×48', 'float32']
    narrow = by_name['`potts_energy`, 2×21×32×48', 'bfloat16']
    assert ('`local_aggregate`, 2×21×8×12', 'float32') in by_name
    # 21 channels of probabilities read, their gradient written, a guide of 3
    # channels read; the energy is a float32 in both.
    moved = {'float32': 4, 'bfloat16': 2}
    for row in (wide, narrow):
        numbers = 2 * 32 * 48 * (21 + 3 + 21) * moved[row['precision']] + 4
        assert row['gb_per_s'] * row['seconds'] * 1e9 == pytest.approx(numbers)
        assert row['relative'].endswith(' × copy')
    table = done.stdout[done.stdout.index('| ') :].splitlines()
    assert {line.count('|') for line in table} == {7}
    assert len(table) == 2 + len(found)


def test_steps_are_measured_beside_their_reference(
    tmp_path, in_process, monkeypatch
):
    monkeypatch.setattr(load('benchmark_gpu'), 'PRECISIONS', ('bfloat16',))
    run(*ON_CPU, '--functions', '--methods', 'SASFormer', cwd=tmp_path)
    reference, method = rows(tmp_path)
    assert reference['name'] == 'step: CE of SASFormer, 2×3×32×48'
    assert method['name'] == 'step: SASFormer, 2×3×32×48'
    ratio = method['seconds'] / reference['seconds']
    assert method['relative'].startswith(f'{ratio:.2f} × CE')


def test_a_failure_is_told_and_the_rest_is_measured(tmp_path, monkeypatch):
    def fail(sizes):
        raise torch.OutOfMemoryError('out of memory, tried 7 GiB')

    monkeypatch.setitem(load('benchmark_gpu').CASES, 'potts_energy', fail)
    names = ['potts_energy', 'local_aggregate']
    done = run(*ON_CPU, '--methods', '--functions', *names, cwd=tmp_path,
               check=False)  # fmt: skip
    assert done.returncode == 1
    found = rows(tmp_path)
    assert found[0]['error'] == 'failed: out of memory, tried 7 GiB'
    assert 'failed: out of memory' in done.stdout
    assert found[2]['seconds'] > 0


def test_nothing_is_started_after_the_limit(tmp_path, monkeypatch):
    gpu = load('benchmark_gpu')
    args = gpu.parse_args([*ON_CPU, '--limit', '5'])
    found = gpu.measure(args, start=gpu.time.monotonic() - 6)
    assert len(found) == 2 * (len(gpu.CASES) + len(gpu.METHODS))
    assert {row.relative for row in found} == {'not run: no time left'}


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_without_a_gpu_one_sentence_says_so(tmp_path):
    done = run(cwd=tmp_path, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith('no CUDA device found (torch ')
    assert '--device cpu' in line


@pytest.mark.slow
def test_only_the_marked_tests_run(tmp_path):
    (tmp_path / 'pytest.ini').write_text('[pytest]\nmarkers = cuda\n')
    folder = tmp_path / 'tests'
    folder.mkdir()
    (folder / 'test_other.py').write_text('raise ImportError')
    (folder / 'test_marked.py').write_text(
        'import pytest\n'
        '@pytest.mark.cuda\ndef test_gpu(): pass\n'
        '@pytest.mark.cuda\ndef test_broken(): raise ValueError\n'
        'def test_cpu(): raise ValueError\n'
    )
    passed, line = load('benchmark_gpu').run_tests(60, folder)
    assert not passed
    assert line.startswith('1 failed, 1 passed, 1 deselected')
