"""The doctor believes a folder's labels.json, or says that it cannot."""

import os
from pathlib import Path
from typing import Any

import pytest

from mmseg_sparse.doctor import diagnose, examine, from_folder
from tests.helpers.own_data import write_sidecar
from tests.helpers.sick_labels import CLASSES, NAMES, findings, healthy, one


def told(root: Path, names: Any = NAMES, **more: Any) -> Path:
    """A healthy data set with a labels.json that lists these images."""
    healthy(root)
    images = {name: dict(supervision='scribble', tags=[]) for name in names}
    write_sidecar(root / 'scribbles/labels.json', CLASSES, images | more)
    return root


def test_images_that_it_does_not_list_are_a_note(tmp_path: Path) -> None:
    root = told(tmp_path, NAMES[:3])
    (root / 'scribbles/d.png').unlink()
    finding = one(findings(root), 'image-not-listed')
    assert finding.severity == 'note'
    assert finding.files == ((str(root / 'images/d.jpg'), ''),)
    # Without it nothing says that they should have none.
    (root / 'scribbles/labels.json').unlink()
    assert one(findings(root), 'missing-label').severity == 'error'


def test_labels_that_it_lists_must_be_there(tmp_path: Path) -> None:
    root = told(tmp_path)
    (root / 'scribbles/b.png').unlink()
    finding = one(findings(root), 'missing-label')
    assert finding.files[0][0] == str(root / 'scribbles/b.png')


def test_tags_count_with_and_without_images(tmp_path: Path) -> None:
    tagged = dict(supervision='tag', tags=['tree'])
    strokes = dict(supervision='scribble', tags=['road'])
    root = told(tmp_path, NAMES[1:3], d=tagged, a=strokes)
    (root / 'scribbles/d.png').unlink()
    (root / 'images').rename(root / 'elsewhere')
    found = examine(from_folder(root / 'scribbles'))
    assert found.images[:3].tolist() == [3, 4, 3]
    assert diagnose(found) == []
    assert [item.tags for item in found.data.items] == [(2,), (), (), (1,)]


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(classes=('sky', 'road', 'tree')),
         'labels.json: its labels are of the classes sky, tree, road, not '
         'sky, road, tree: leave classes out'),
        (dict(classes=CLASSES[:2]), 'not sky, tree: leave classes out'),
        (dict(reduce_zero_label=True), 'reduce_zero_label=True contradicts'),
        (dict(classes=CLASSES, reduce_zero_label=True), 'contradicts it'),
    ],
)  # fmt: skip
def test_arguments_that_contradict_it(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    root = told(tmp_path)
    with pytest.raises(ValueError, match=message):
        from_folder(root / 'scribbles', **options)
    same = from_folder(root / 'scribbles', classes=CLASSES)
    assert same.classes == CLASSES
    void = from_folder(
        root / 'scribbles', classes=CLASSES[1:], reduce_zero_label=True
    )
    assert void.classes == CLASSES[1:]


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    path = healthy(tmp_path) / 'scribbles/labels.json'
    path.mkdir()
    with pytest.raises(ValueError, match='expected a file, got a folder'):
        from_folder(path.parent)
    path.rmdir()
    os.mkfifo(path)  # reading it would wait for ever
    with pytest.raises(
        ValueError, match='got something that is not a regular file'
    ):
        from_folder(path.parent)


@pytest.mark.parametrize(
    ('make', 'name', 'code'),
    [
        (os.mkfifo, 'scribbles/b.png', 'unreadable'),
        (os.mkdir, 'scribbles/b.png', 'unreadable'),
        (os.mkfifo, 'images/b.jpg', 'image-unreadable'),
        # A folder is no image: its labels have none.
        (os.mkdir, 'images/b.jpg', 'label-without-image'),
    ],
)
def test_pipes_and_folders_among_the_files(
    make: Any, name: str, code: str, tmp_path: Path
) -> None:
    path = healthy(tmp_path) / name
    path.unlink()
    make(path)
    found = findings(tmp_path)
    assert set(found) == {code}
    assert Path(found[code].files[0][0]).stem == 'b'
