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


@pytest.fixture
def sharing(tmp_path):
    """Builds pipelines that share a stage with the one of ``main``."""
    ran = []

    def run(folder):
        ran.append(folder.relative_to(tmp_path).as_posix())
        return write(folder)

    def build(work, setting=1, first=run):
        main = tmp_path / 'main'
        first = Stage('first', dict(setting=setting), (), first, shared=main)
        return Stages(
            tmp_path / work, [first, Stage('second', {}, ('first',), run)]
        )

    build.ran = ran
    return build


def test_a_shared_stage_runs_once(sharing, tmp_path):
    lines = []
    sharing('one').run(report=lines.append)
    assert lines[0] == f'first: to do in {tmp_path}/main/first'
    for work in ('two', 'main'):
        sharing(work).run()
    assert sharing.ran == [
        'main/first', 'one/second', 'two/second', 'main/second',
    ]  # fmt: skip
    sharing('two').run(report=lines.append)
    assert lines[-2:] == [
        f'first: done in {tmp_path}/main/first', 'second: done',
    ]  # fmt: skip


def test_other_settings_get_a_folder_of_their_own(sharing):
    sharing('one').run()
    sharing('two', setting=2).run()
    assert sharing.ran[2:] == ['two/first', 'two/second']
    # A stage that a pipeline once had itself stays its own.
    sharing('three', setting=3).run()
    sharing('main', setting=3).run(overwrite_from='first')
    assert sharing('three', setting=3).folder('first').parent.name == 'three'
    del sharing.ran[:]
    sharing('one').run()  # what it shared is gone
    assert sharing.ran == ['one/first']


def test_a_shared_stage_is_not_overwritten_from_elsewhere(sharing, tmp_path):
    sharing('one').run()
    wanted = f'first is not overwritten: it is shared .* {tmp_path}/main;'
    with pytest.raises(StageError, match=wanted):
        sharing('one').run(overwrite_from='first')
    sharing('one').run(overwrite_from='second')
    assert sharing.ran[2:] == ['one/second']


def test_a_shared_stage_runs_in_one_process_at_a_time(sharing):
    def other_run(folder):
        with pytest.raises(StageError, match=r'at work in .*main'):
            sharing('two').run()
        return write(folder)

    sharing('one', first=other_run).run()
    sharing('two').run()
    assert sharing.ran == ['one/second', 'two/second']
