"""Tables of numbers come from the metafiles, and from nothing else."""

import importlib.util
import json

import pytest
import yaml

from mmseg_sparse.benchmark.logs import read_log
from tests.helpers.shipped import REPOSITORY

PATH = REPOSITORY / 'benchmarks' / 'results_tables.py'
spec = importlib.util.spec_from_file_location('results_tables', PATH)
results_tables = importlib.util.module_from_spec(spec)
spec.loader.exec_module(results_tables)

README = """# Method
<!-- results -->
old
<!-- /results -->
after
"""


def run(seed: int, miou: float, accuracy: float = 80.0) -> dict:
    return dict(
        Seed=seed, mIoU=miou, aAcc=accuracy, Commit='abc1234', Log='runs.json'
    )


def result(runs: list[dict], miou: float, **more) -> dict:
    return dict(
        Task='Semantic Segmentation',
        Dataset='CamVid',
        Metrics=dict(mIoU=miou, aAcc=80.0),
        Runs=runs,
        **{'Labeled Pixels (%)': 4.25},
        **more,
    )


def model(name: str, **more) -> dict:
    return dict(
        Name=name,
        Config=f'configs/method/{name}.py',
        Metadata=dict(Annotation='scribble'),
        **more,
    )


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / 'configs' / 'method'
    folder.mkdir(parents=True)
    (folder / 'README.md').write_text(README)
    (tmp_path / 'runs.json').write_text('{}')
    (tmp_path / 'model-index.yml').write_text(
        'Import: [configs/method/metafile.yml]'
    )

    def write(*models: dict) -> tuple[int, str]:
        (folder / 'metafile.yml').write_text(
            yaml.safe_dump({'Models': models})
        )
        status = results_tables.main(['--root', str(tmp_path)])
        return status, (folder / 'README.md').read_text()

    return write


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith('| [')]
    return [[cell.strip() for cell in line[1:-1].split('|')] for line in lines]


def test_shipped_tables_are_up_to_date(capsys):
    assert results_tables.main(['--check']) == 0, capsys.readouterr().out


def local_runs():
    for models in results_tables.load_index(REPOSITORY).values():
        for model in models:
            for result in results_tables.results_of(model):
                for run in result['Runs']:
                    if (REPOSITORY / run['Log']).is_file():
                        yield run, read_log(REPOSITORY / run['Log']).metrics


def test_every_run_is_what_its_log_says():
    runs = list(local_runs())
    assert len(runs) > 30
    for run, logged in runs:
        for name in run.keys() & {'mIoU', 'aAcc', 'volume/mDice'}:
            assert logged[name] == pytest.approx(run[name], abs=0.006), run


def test_the_classes_of_a_log_have_its_mean():
    for run, logged in local_runs():
        classes = [v for k, v in logged.items() if k.startswith('IoU/')]
        if classes:
            mean = sum(classes) / len(classes)
            assert mean == pytest.approx(logged['mIoU'], abs=0.02), run


def test_classes_and_volumes_have_their_place(project, tmp_path):
    for seed, dog in ((0, 40.0), (1, 44.0)):
        metrics = {'mIoU': 50.0, 'IoU/cat': 60.0, 'IoU/hot_dog': dog}
        lines = [dict(loss=1.0, iter=9, step=9), metrics | {'step': 9}]
        text = ''.join(f'{json.dumps(line)}\n' for line in lines)
        (tmp_path / f'{seed}.json').write_text(text)
    volume = {'volume/mDice': 71.0}
    runs = [run(k, 50.0) | volume | {'Log': f'{k}.json'} for k in (0, 1)]
    own = result(runs, 50.0)
    own['Metrics'] |= volume
    _, text = project(
        model('a', Results=[own]), model('b', Results=[result([run(0, 9)], 9)])
    )
    table = rows(text)
    assert [line[7] for line in table[:2]] == ['71.00 ± 0.00', '–']
    assert '| config | cat | hot dog |' in text
    assert table[2:] == [
        ['[a](a.py), seed 0', '60.00', '40.00'],
        ['[a](a.py), seed 1', '60.00', '44.00'],
    ]
    del runs[0]['volume/mDice']
    with pytest.raises(ValueError, match='some runs have volume/mDice'):
        project(model('a', Results=[own]))


def test_without_runs(project):
    _, text = project(model('a'))
    assert 'No runs yet.' in text
    assert text.startswith('# Method\n<!-- results -->')
    assert text.endswith('<!-- /results -->\nafter\n')
    assert 'old' not in text


def test_mean_deviation_bound_and_log(project):
    bound = model('dense', Results=result([run(0, 60.0)], 60.0))
    runs = [run(0, 50.0), run(1, 53.0), run(2, 53.0)]
    own = result(runs, 52.0, Bound=dict(mIoU='dense'))
    _, text = project(model('a', Results=[own]), bound)
    first, second = rows(text)
    assert first[0] == '[a](a.py)'
    # 50, 53, 53: mean 52, sum of squares 4 + 1 + 1 = 6, sqrt(6 / 2) = 1.73
    assert first[1:-2] == [
        'CamVid', 'scribble', '4.25 %', '0, 1, 2', '52.00 ± 1.73',
        '80.00 ± 0.00', '60.00', '–',
    ]  # fmt: skip
    assert first[-2] == 'abc1234'
    assert first[-1] == ', '.join(['[log](../../runs.json)'] * 3)
    assert second[5] == '60.00'


def test_of_tags_no_pixel_is_labelled(project):
    own = result([run(0, 50.0)], 50.0) | {'Labeled Pixels (%)': 0}
    status, text = project(model('a', Results=[own]))
    assert status == 0
    assert rows(text)[0][3] == '0 %'


def test_paper_number_stands_apart(project):
    paper = dict(Dataset='VOC', Metrics=dict(mIoU=79.4), Table='P, table 2')
    _, text = project(model('a', **{'Paper Results': paper}))
    assert 'No runs yet.' in text
    assert rows(text) == [
        ['[a](a.py)', 'VOC', 'scribble', '79.40', 'P, table 2']
    ]


def test_check_reports_drift_and_writes_nothing(project, tmp_path, capsys):
    project(model('a'))
    readme = tmp_path / 'configs' / 'method' / 'README.md'
    arguments = ['--check', '--root', str(tmp_path)]
    assert results_tables.main(arguments) == 0
    readme.write_text(readme.read_text().replace('No runs', 'Many runs'))
    assert results_tables.main(arguments) == 1
    assert 'configs/method/README.md is out of date' in capsys.readouterr().out
    assert 'Many runs' in readme.read_text()


@pytest.mark.parametrize(
    ('own', 'message'),
    [
        (result([run(0, 50.0)], 51.0), 'mIoU 51.00, its runs 50.00'),
        (result([run(0, 50.0), run(0, 50.0)], 50.0), 'a seed comes twice'),
        (result([], 50.0), "a result needs 'Runs'"),
        (result([run(0, 50.0) | {'Log': 'no.json'}], 50.0), 'no log, no row'),
        (result([dict(Seed=0, mIoU=50.0)], 50.0), "'Commit', 'Log', 'aAcc'"),
        (result([run(0, 50.0)], 50.0, Bound=dict(mIoU='x')), "bound 'x'"),
    ],
)  # fmt: skip
def test_refuses_numbers_without_origin(project, own, message):
    with pytest.raises(ValueError, match=message):
        project(model('a', Results=[own]))


def test_refuses_readme_without_comments(project, tmp_path):
    readme = tmp_path / 'configs' / 'method' / 'README.md'
    readme.write_text('<!-- results -->')
    with pytest.raises(ValueError, match=r'README\.md needs <!-- results -->'):
        project(model('a'))


def test_refuses_a_name_twice(project):
    with pytest.raises(ValueError, match='a is listed twice'):
        project(model('a'), model('a'))
