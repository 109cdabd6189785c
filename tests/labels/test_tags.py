"""Tags of whole images and the files they come in."""

import pickle

import numpy as np
import pytest

from mmseg_sparse.labels.tags import TagSpace, read_tag_file
from tests.helpers.own_data import CLASSES, write_sidecar

SPACE = TagSpace(CLASSES, 0)


def test_background_is_no_tag():
    assert SPACE.from_names(['dog', 'background'], '').tolist() == [0, 1]
    assert SPACE.from_indices([0, 1]).tolist() == [1, 0]
    assert SPACE.from_indices([]).tolist() == [0, 0]
    everything = TagSpace(CLASSES)
    assert everything.from_names(['dog', 'background'], '').tolist() == [
        1, 0, 1,
    ]  # fmt: skip
    # in the middle
    hot = TagSpace(CLASSES, 1).from_indices([1, 2])
    assert hot.tolist() == [0, 1]
    assert hot.dtype == np.float32


def test_unknown_class_gives_a_hint():
    with pytest.raises(
        ValueError,
        match=r"line 3: unknown class 'cta'; did "
        r"you mean 'cat'\? \(classes: background, cat, dog\)",
    ):
        SPACE.from_names(['cta'], 'line 3')  # fmt: skip


def test_a_choice_of_classes_leaves_the_tags_of_others_out():
    choice = TagSpace(('dog', 'background'), 1, SPACE)
    assert choice.from_names(['cat', 'dog'], '').tolist() == [1]
    assert choice.from_names(['cat'], '').tolist() == [0]
    assert choice.from_vector([0, 1], '').tolist() == [1]
    assert choice.from_vector([1, 0], '').tolist() == [0]
    with pytest.raises(ValueError, match=r'b: expected a vector of 2 numbers'):
        choice.from_vector([1], 'b')
    with pytest.raises(ValueError, match=r"'do'; did you mean 'dog'\? \(cla"):
        choice.from_names(['do'], 'b')


def write_npy(path, content):
    np.save(path, content, allow_pickle=True)
    return path


def test_one_hot_file(tmp_path):
    path = write_npy(
        tmp_path / 'cls_labels_onehot.npy',
        {'a': np.array([0, 1.0], np.float32), 'b': np.array([1, 0])},
    )
    tags = read_tag_file(path, SPACE)
    assert {k: v.tolist() for k, v in tags.items()} == {
        'a': [0, 1], 'b': [1, 0],
    }  # fmt: skip
    assert {v.dtype for v in tags.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'a': np.ones(3)}, 'x.npy: a: expected a vector of 2 numbers, one '
                            r'for each foreground class, got float64 of shape '
                            r'\(3,\)'),
        ({'a': np.ones((1, 2))}, r'shape \(1, 2\)'),
        ({'a': np.array([0, 0.5])}, r'a: expected zeros and ones, got 0\.5'),
        ({'a': np.array([0, np.nan])}, 'zeros and ones, got nan'),
        ({2007000032: np.ones(2)}, 'image names as keys, got 2007000032'),
        (np.ones(4), 'expected a dict of one-hot vectors'),
    ],
)  # fmt: skip
def test_wrong_one_hot_file(tmp_path, content, message):
    path = write_npy(tmp_path / 'x.npy', content)
    with pytest.raises(ValueError, match=message):
        read_tag_file(path, SPACE)


class Harm:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code was run')",))


def test_no_code_of_a_file_is_run(tmp_path):
    path = write_npy(tmp_path / 'x.npy', np.array({'a': Harm()}, object))
    with pytest.raises(ValueError, match=r'x\.npy'):
        read_tag_file(path, SPACE)
    path.write_bytes(pickle.dumps({'a': Harm()}))
    with pytest.raises(ValueError, match=r'x\.npy'):
        read_tag_file(path, SPACE)


def test_sidecar_tells_untagged_from_empty(tmp_path):
    path = write_sidecar(tmp_path / 'labels.json', CLASSES, {
        'a': dict(supervision='tag', size=[7, 5], tags=['dog']),
        'b': dict(supervision='scribble', size=[7, 5], tags=[]),
        'c': dict(supervision='tag', size=[7, 5], tags=[]),
        'd': dict(supervision='point', size=[7, 5], tags=['cat']),
    })  # fmt: skip
    tags = read_tag_file(path, SPACE)
    assert {k: v.tolist() for k, v in tags.items()} == {
        'a': [0, 1], 'c': [0, 0], 'd': [1, 0],
    }  # fmt: skip


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'tag_file .*no\.npy'):
        read_tag_file(tmp_path / 'no.npy', SPACE)
    (tmp_path / 'x.csv').write_text('a,1')
    with pytest.raises(ValueError, match=r'expected a \.json or a \.npy'):
        read_tag_file(tmp_path / 'x.csv', SPACE)
    path = write_sidecar(tmp_path / 'labels.json', ['sky'], {
        'a': dict(supervision='tag', size=[7, 5], tags=['sky']),
    })  # fmt: skip
    with pytest.raises(ValueError, match="json: a: unknown class 'sky'"):
        read_tag_file(path, SPACE)
