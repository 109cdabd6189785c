"""Stages of work: what is removed to be done again."""

import threading

import pytest

from mmseg_sparse.utils.stages import Stage, StageError, Stages


def write(folder):
    (folder / 'result').write_text('1')
    return {}


@pytest.fixture
def stages(tmp_path):
    work = tmp_path / 'work'

    def build():
        return Stages(
            work,
            [
                Stage(name, inputs={}, after=(), run=write)
                for name in ('a', 'b', 'c')
            ],
        )

    build().run()
    return build


def test_nothing_is_removed_where_something_may_not_be(stages):
    work = stages().work_dir
    (work / 'b/stage.json').unlink()
    with pytest.raises(StageError, match='b is not overwritten: it has files'):
        stages().run(overwrite_from='a')
    for name in 'abc':
        assert (work / name / 'result').is_file()


def test_a_link_is_left_alone(stages, tmp_path):
    work = stages().work_dir
    (work / 'b').rename(tmp_path / 'elsewhere')
    (work / 'b').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(StageError, match='b is not overwritten: it is a link'):
        stages().run(overwrite_from='b')
    assert (tmp_path / 'elsewhere/result').is_file()
    assert (work / 'c/result').is_file()
    stages().run()


def test_stages_run_beside_each_other_and_after_what_they_use(tmp_path):
    barrier = threading.Barrier(2, timeout=20)
    order = []

    def meet(folder):
        barrier.wait()  # two of them are running
        order.append(folder.name)
        return {}

    def last(folder):
        order.append(folder.name)
        return {}

    Stages(
        tmp_path,
        [
            Stage('a', {}, (), meet),
            Stage('c', {}, ('a',), last),
            Stage('b', {}, (), meet),
        ],
    ).run(processes=2)
    assert sorted(order[:2]) == ['a', 'b']
    assert order[2:] == ['c']


def test_a_stage_that_fails_stops_those_after_it_alone(tmp_path):
    def fail(folder):
        raise StageError('no memory')

    stages = Stages(
        tmp_path,
        [
            Stage('a', {}, (), fail),
            Stage('b', {}, ('a',), write),
            Stage('c', {}, (), write),
        ],
        again='--redo',
    )
    with pytest.raises(StageError, match=r'stage a: no memory; .*--redo a'):
        stages.run(processes=2)
    assert [stages.state(n) for n in 'abc'] == ['begun', 'to do', 'done']


def test_those_asked_for_run_with_what_they_use(tmp_path):
    def build(value=0):
        names = dict(a=(), b=(), c=('a',), d=('c',))
        return Stages(
            tmp_path,
            [Stage(n, dict(v=value), up, write) for n, up in names.items()],
            again='--redo', elsewhere='--out',
        )  # fmt: skip

    stages = build()
    stages.run(only=['c'])
    assert [stages.state(n) for n in 'abcd'] == ['done', 'to do'] * 2
    said = r'c has other settings: v: 0 there, 1 here; give another --out'
    (tmp_path / 'a/stage.json').unlink()
    (tmp_path / 'a/done.json').unlink()
    (tmp_path / 'a/result').unlink()
    with pytest.raises(StageError, match=said):
        build(1).run(only=['c'])
    build(1).run(only=['b'])  # the others are not looked at
    build(1).run(only=['c'], overwrite=['c'])
    assert build(1).state('c') == 'done'


def test_a_folder_filled_elsewhere_is_done(tmp_path):
    stages = Stages(tmp_path, [Stage('a', dict(v=1), (), write)])
    stages.adopt('a', dict(mIoU=50.0))
    stages.run()
    assert stages.result('a') == dict(mIoU=50.0)
    assert not (tmp_path / 'a/result').exists()
