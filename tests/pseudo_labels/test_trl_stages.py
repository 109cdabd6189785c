"""Stages of work: what is removed to be done again."""

import pytest

from mmseg_sparse.pseudo_labels.trl_stages import Stage, StageError, Stages


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
