"""A suite of three tiny trainings: once, cut off, changed, from elsewhere."""

import csv
import io
import json
import os
import shutil

import pytest
import yaml

from mmseg_sparse.benchmark import report
from mmseg_sparse.benchmark.logs import read_log
from mmseg_sparse.benchmark.progress import progress
from mmseg_sparse.benchmark.suite import read_suite
from mmseg_sparse.benchmark.table import make_rows
from mmseg_sparse.benchmark.trainings import Trainings
from mmseg_sparse.utils.stages import StageError
from tests.helpers.trl_pipeline_case import (
    forked,
    kill_after,
    launch_in,
    run_here,
)

SUITE = """
title = 'Tiny'
make_data = ['make_toy_dataset', '--num-train', '4', '--num-val', '2']
options = {
    'train_cfg.max_iters': 4, 'train_cfg.val_interval': 4,
    'default_hooks.checkpoint.interval': 2, 'default_hooks.logger.interval': 1,
    'train_dataloader.batch_size': 2, 'log_level': 'WARNING',
}
parts = '_mit-tiny_segformer_1xb8-2k_toy-{}-64x64.py'
groups = [
    dict(
        dataset='toy', backbone='MiT', labels=labels,
        config='{}' + parts.format(labels),
        methods={name: name.lower() for name in methods},
    )
    for labels, methods in [
        ('scribble', ['CE', 'SASFormer']), ('dense', ['CE']),
    ]
]
del parts
"""
NAMES = [
    f'{name}-64x64_seed0'
    for name in (
        'ce_mit-tiny_segformer_1xb8-2k_toy-scribble',
        'sasformer_mit-tiny_segformer_1xb8-2k_toy-scribble',
        'ce_mit-tiny_segformer_1xb8-2k_toy-dense',
    )
]


def trainings_of(folder, suite, launch=None, **kwargs):
    if launch is None:

        def launch(*arguments, **_):
            raise AssertionError(f'nothing is to be done: {arguments}')

    found = read_suite(suite)
    return Trainings(found, folder, found.cases, (0,), launch, **kwargs)


@pytest.fixture(scope='module')
def done(tmp_path_factory):
    """The suite, its trainings (the first was cut off), and what was said."""
    root = tmp_path_factory.mktemp('benchmark')
    path, out = root / 'suite_tiny.py', root / 'out'
    path.write_text(SUITE)
    said, cut = [], [True]

    def launch(name, arguments, log=None):
        if name == 'train' and cut:
            cut.clear()

            def work():
                os.setsid()
                kill_after(out, '*/iter_2.pth', 1)
                run_here(name, arguments)

            forked(work, root / 'cut.log')
            raise StageError('killed')
        launch_in(root / 'log')(name, arguments)
        return 123.0

    trainings = trainings_of(out, path, launch)
    with pytest.raises(StageError, match=rf'stage {NAMES[0]}: killed'):
        trainings.stages.run(report=said.append)
    states = [trainings.stages.state(name) for name in NAMES]
    assert states == ['begun', 'to do', 'to do']
    assert '0 of 3 trainings done, 17 % of the iter' in progress(trainings, 1)
    trainings.stages.run(report=said.append, processes=2)
    return path, out, said


def test_a_training_that_was_cut_off_goes_on(done):
    _, out, said = done
    assert f'{NAMES[0]}: continued' in said
    starts = sorted((out / NAMES[0]).glob('*/vis_data/scalars.json'))
    steps = [
        [json.loads(line)['step'] for line in log.read_text().splitlines()]
        for log in starts
    ]
    assert steps == [[1, 2], [3, 4, 4]]
    assert read_log(out / NAMES[0]).validated == 4


def test_nothing_is_done_twice(done):
    path, out, _ = done
    trainings = trainings_of(out, path)
    trainings.stages.run()
    assert progress(trainings, 1) == (
        '3 of 3 trainings done, 100 % of the iterations'
    )


def test_a_changed_training_is_refused_until_it_is_named(done, tmp_path):
    path, out, _ = done
    changed = path.with_name('suite_changed.py')
    changed.write_text(
        SUITE.replace("'log_level'", "'optim_wrapper.optimizer.lr': 1e-4, 'b'")
    )
    with pytest.raises(
        StageError,
        match=r'"lr": 0\.003 there, "lr": 0\.0001 here; .* or --overwrite ce',
    ):
        trainings_of(out, changed).stages.run()
    copy = tmp_path / 'out'
    shutil.copytree(out, copy)
    began = []

    def launch(name, arguments, log=None):
        began.append(name)
        raise StageError('enough')

    with pytest.raises(StageError, match='enough'):
        trainings_of(copy, changed, launch).stages.run(
            only=[NAMES[0]], overwrite=[NAMES[0]]
        )
    assert began == ['train']
    assert not list((copy / NAMES[0]).glob('*.pth'))


def test_table_of_what_was_measured(done):
    path, out, _ = done
    trainings = trainings_of(out, path)
    rows = make_rows(trainings.suite, trainings.results())
    assert [(r.labels, r.method) for r in rows] == [
        ('scribble', 'CE'), ('scribble', 'SASFormer'), ('dense', 'CE'),
    ]  # fmt: skip
    last = json.loads(
        max((out / NAMES[1]).glob('*/vis_data/scalars.json'))
        .read_text().splitlines()[-1]
    )  # fmt: skip
    assert set(rows[1].metrics) == {*trainings.suite.metrics}
    for name, values in rows[1].metrics.items():
        assert values == (last[name],)
    assert {key for key in last if key.startswith('IoU/')}
    assert 1 < rows[0].labelled < 20
    assert rows[2].labelled == 100
    assert rows[0].memory == 123
    assert 0 < rows[0].step < 60
    text = report.write_report(trainings.suite, rows, out)
    assert len(text.splitlines()) == 5
    table = list(csv.DictReader(io.StringIO((out / 'table.csv').read_text())))
    assert float(table[1]['mIoU']) == last['mIoU']
    assert (out / 'quality.png').is_file()
    runs = yaml.safe_load((out / 'runs.yml').read_text())
    (run,) = runs[NAMES[1].removesuffix('_seed0')]
    assert run['mIoU'] == pytest.approx(last['mIoU'], abs=0.006)
    assert run['Log'] == f'docs/logs/tiny/{NAMES[1]}.json'


def test_runs_from_elsewhere(done, tmp_path):
    path, out, _ = done
    elsewhere = tmp_path / 'elsewhere'
    for name in NAMES[:2]:
        shutil.copytree(
            out / name, elsewhere / name,
            ignore=shutil.ignore_patterns('*.pth', '*.json', 'train.log'),
        )  # fmt: skip
        for log in (out / name).glob('*/vis_data/scalars.json'):
            target = elsewhere / log.relative_to(out)
            shutil.copy(log, target)
    (log,) = (out / NAMES[2]).glob('*/vis_data/scalars.json')
    shutil.copy(log, elsewhere / f'{NAMES[2]}.json')
    said = []
    trainings = trainings_of(tmp_path / 'out', path)
    trainings.take_over(elsewhere, said.append)
    assert all('taken' in line for line in said)
    results = trainings.results()
    for (case, seed), result in trainings_of(out, path).results().items():
        taken = results[case, seed]
        assert taken['metrics'] == result['metrics']
        assert taken.get('unchecked', False) == (case.labels == 'dense')
    trainings.take_over(elsewhere)  # a second time nothing is left


def test_other_runs_from_elsewhere_are_refused(done, tmp_path):
    _, out, _ = done
    changed = tmp_path / 'suite_changed.py'
    changed.write_text(
        SUITE.replace("'log_level'", "'optim_wrapper.optimizer.lr': 1e-4, 'b'")
    )
    trainings = trainings_of(tmp_path / 'out', changed)
    with pytest.raises(
        StageError,
        match=r'optim_wrapper\.optimizer\.lr: 0\.003 there, 0\.0001 here',
    ):
        trainings.take_over(out)
    changed.write_text(SUITE.replace("max_iters': 4", "max_iters': 8"))
    trainings = trainings_of(tmp_path / 'out', changed)
    (log,) = (out / NAMES[2]).glob('*/vis_data/scalars.json')
    alone = tmp_path / 'logs' / f'{NAMES[2]}.json'
    alone.parent.mkdir()
    shutil.copy(log, alone)
    with pytest.raises(StageError, match=r'validation after step 8, .* 4'):
        trainings.take_over(alone.parent)


def test_fills_the_docs_of_a_clone(done, tmp_path):
    path, out, _ = done
    trainings = trainings_of(out, path)
    rows = make_rows(trainings.suite, trainings.results())
    (tmp_path / 'docs').mkdir()
    page = tmp_path / 'docs/results.md'
    with pytest.raises(FileNotFoundError, match='is for a clone'):
        report.write_docs(tmp_path, trainings, rows, {})
    marks = '<!-- results: tiny -->\nold\n<!-- /results: tiny -->'
    page.write_text(f'# Results\n\n{marks}\n\nMore.\n')
    report.write_docs(tmp_path, trainings, rows, {'Command': '`x`'})
    text = page.read_text()
    assert '\nTrained on: ' in text
    assert text.startswith('# Results\n\n<!-- results: tiny -->\n\nCommand: ')
    assert text.endswith('<!-- /results: tiny -->\n\nMore.\n')
    for row in rows:
        assert f'| {row.metrics["mIoU"][0]:.2f} |' in text
    content = json.loads((tmp_path / 'docs/results/tiny.json').read_text())
    assert report.block(content) in text
    assert read_log(tmp_path / f'docs/logs/tiny/{NAMES[0]}.json').step == 4
    assert (tmp_path / 'docs/images/results_tiny_quality.png').is_file()
