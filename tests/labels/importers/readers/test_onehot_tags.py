"""One-hot tag files: dicts that numpy pickled, read without running them."""

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.readers import onehot_tags
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.fuzzing import MODEST, fuzz_bytes

VECTORS = st.lists(st.booleans(), min_size=20, max_size=20)


def save(path: Path, content: Any) -> Path:
    np.save(path, content, allow_pickle=True)
    return path


def vector(*present: int, length: int = 20) -> np.ndarray:
    values = np.zeros(length, np.float32)
    values[list(present)] = 1
    return values


@given(
    st.dictionaries(
        st.sampled_from(['2007_000032', 'x/y', 'ü', 'b']), VECTORS
    ),
    st.sampled_from([np.float32, np.float64, np.uint8, np.bool_, np.int64]),
    st.sampled_from([0, 1, 5]),
)
@MODEST
def test_round_trip(
    tmp_path: Path, tags: dict, dtype: type, first: int
) -> None:
    path = save(
        tmp_path / 'tags.npy', {k: np.array(v, dtype) for k, v in tags.items()}
    )
    read = list(onehot_tags.read(path, first_class=first))
    assert [a.image for a in read] == list(tags)
    for annotation in read:
        assert annotation.shapes == ()
        assert annotation.source == str(path)
        assert [int(tag) - first for tag in annotation.tags] == [
            i for i, present in enumerate(tags[annotation.image]) if present
        ]


def test_numbers_as_ids(tmp_path: Path) -> None:
    content = {9: vector(0), np.int64(581929): vector(2, 19)}
    read = list(onehot_tags.read(save(tmp_path / 'tags.npy', content)))
    assert [(a.image, a.tags) for a in read] == [
        ('9', ('1',)), ('581929', ('3', '20')),
    ]  # fmt: skip


class Harm:
    def __reduce__(self) -> tuple:
        return os.mkdir, ('harmed',)


def test_nothing_is_executed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / 'tags.npy', {'a': vector(0), 'b': Harm()})
    with pytest.raises(FormatError, match=r'tags\.npy: .*mkdir'):
        list(onehot_tags.read(path))
    assert not (tmp_path / 'harmed').exists()
    pickle.loads(pickle.dumps(Harm()))  # it does harm where it is run
    assert (tmp_path / 'harmed').exists()


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (np.eye(3), r'expected a dict, image id -> vector'),
        ({'a': vector(0), 'b': vector(0, length=4)}, r"'b': .* 20 .* got 4"),
        ({'a': vector(0) / 2}, r"'a': expected 0 or 1 for a class, got 0\.5"),
        ({'a': vector(0) * np.nan}, r"'a': expected 0 or 1 .* got nan"),
        ({'a': np.eye(3)}, r"'a': expected a vector of 0 and 1"),
        ({'a': np.array([])}, r"'a': expected a vector of 0 and 1"),
        ({'a': [1, 0]}, r"'a': expected a vector of 0 and 1, got \[1, 0\]"),
        ({'a': np.array(['0', '1'])}, r"'a': expected a vector of 0 and 1"),
        ({'..': vector(1)}, r"name of an image, got '\.\.'"),
        ({-1: vector(1)}, r'not an image id: -1'),
        ({True: vector(1)}, r'name of an image, got True'),
        ({1.5: vector(1)}, r'name of an image, got 1\.5'),
    ],
)
def test_errors_name_file_entry_and_value(
    tmp_path: Path, content: Any, message: str
) -> None:
    path = save(tmp_path / 'tags.npy', content)
    with pytest.raises(FormatError, match=rf'tags\.npy: .*{message}'):
        list(onehot_tags.read(path))


@given(st.integers(0, 2**32), st.booleans())
@MODEST
def test_fuzz(tmp_path: Path, seed: int, wide: bool) -> None:
    content = {'2007_000032': vector(0, 14), '2007_000033': vector(0)}
    if wide:
        content = {i: vector(i).astype(np.float64) for i in range(3)}
    file = io.BytesIO()
    np.save(file, content, allow_pickle=True)
    for turn in range(8):
        fuzz_bytes(
            onehot_tags.read, tmp_path / 'tags.npy', file.getvalue(),
            seed + turn,
        )  # fmt: skip
