"""The configs of suites."""

import pytest

from mmseg_sparse.benchmark.suite import read_suite, select
from tests.helpers.shipped import CONFIGS, parse

SUITES = sorted((CONFIGS / 'benchmarks/suites').glob('*.py'))
GROUP = (
    "dict(dataset='D', labels='scribble', backbone='B', config='{}.py', "
    "methods={'CE': 'a'})"
)


def test_the_suites_that_are_promised_are_there():
    names = {path.stem.removeprefix('suite_') for path in SUITES}
    assert {'toy', 'acdc', 'camvid', 'voc12'} <= names


@pytest.mark.parametrize('path', SUITES, ids=lambda path: path.stem)
def test_shipped_suite(path):
    suite = read_suite(path)
    for case in suite.cases:
        cfg = parse(case.config)
        iterations = cfg.train_cfg.max_iters
        assert iterations % cfg.train_cfg.val_interval == 0
        assert f'-{case.labels}-' in case.config.stem
        kinds = {metric['type'] for metric in cfg.val_evaluator}
        assert {'ClassIoUMetric', 'BoundaryIoUMetric'} <= kinds
    methods = {(c.labels, c.method) for c in suite.cases}
    for problem in {case.problem for case in suite.cases}:
        own = [c for c in suite.cases if c.problem == problem]
        for labels in {c.labels for c in own} - {'dense'}:
            assert (labels, suite.baseline) in {
                (c.labels, c.method) for c in own
            }
    assert {('dense', method) for method in suite.bound.values()} <= methods
    assert bool(suite.make_data) != bool(suite.requires)


@pytest.mark.parametrize('name', ['acdc', 'camvid', 'voc12'])
def test_missing_data_are_refused_with_their_source(
    name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    suite = read_suite(CONFIGS / f'benchmarks/suites/suite_{name}.py')
    for requirement in suite.requires:
        said = suite.missing()
        assert f'needs {requirement.path}, which is not there: ' in said
        assert 'docs/datasets.md' in said
        assert '\n' not in said
        requirement.path.mkdir(parents=True)
    assert suite.missing() is None


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ("title = 'a'", 'missing groups'),
        (f'groups = [{GROUP}]\nfoo = 1', 'unknown foo'),
        ("groups = [dict(dataset='D')]", r'groups\[0\]: missing backbone'),
        (f'groups = [{GROUP}, {GROUP}]', 'config a comes twice'),
        (
            f'groups = [{GROUP}, {GROUP.replace("{}.py", "{}b.py")}]',
            'CE on scribble labels of D, B comes twice',
        ),
    ],
)
def test_refuses(text, said, tmp_path):
    for name in ('a.py', 'ab.py'):
        (tmp_path / name).write_text('')
    path = tmp_path / 'suite_own.py'
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        read_suite(path)


def test_a_config_that_is_not_there(tmp_path):
    path = tmp_path / 'suite_own.py'
    path.write_text(f'groups = [{GROUP}]')
    with pytest.raises(FileNotFoundError, match=r'there is no config a\.py'):
        read_suite(path)


def test_words_select_cases():
    suite = read_suite(CONFIGS / 'benchmarks/suites/suite_camvid.py')

    def found(*words):
        return [(c.labels, c.method) for c in select(suite, words)]

    assert len(found()) == len(suite.cases)
    assert found('dfr') == [('scribble', 'DFR'), ('point', 'DFR')]
    assert found('DFR', 'Gated CRF', 'scribble') == [
        ('scribble', 'Gated CRF'), ('scribble', 'DFR'),
    ]  # fmt: skip
    name = suite.cases[0].config.name
    assert found(name) == [('scribble', 'CE')]
    with pytest.raises(ValueError, match="called 'tag'; expected one of"):
        found('tag')
