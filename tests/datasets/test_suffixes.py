"""Images of several suffixes in one folder."""

import json
from functools import partial
from pathlib import Path

import pytest

from mmseg_sparse.doctor import diagnose, examine, from_config, from_folder
from mmseg_sparse.labels.classes import make_classes
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.label_folder import read_sidecar
from mmseg_sparse.pseudo_labels.trl_pipeline import split_entries
from tests.helpers import tools
from tests.helpers.own_data import (
    CLASSES,
    build,
    label_map,
    write_image,
    write_labels,
    write_sidecar,
)

NAMES = ('a.jpg', 'b.JPG', 'sub/c.png')
SUFFIXES = ['.jpg', '.JPG', '.png']


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Images of three suffixes, and labels without a list of them."""
    for index, name in enumerate(NAMES):
        write_image(tmp_path / 'images' / name, seed=index)
        path = (tmp_path / 'labels' / name).with_suffix('.png')
        # A click of each class, in every image elsewhere.
        clicks = [(index, k, k) for k in range(3)]
        write_labels(path, label_map(*clicks))
    return tmp_path


@pytest.fixture
def tool(root: Path) -> object:
    return partial(tools.call, 'make_hybrid_split', cwd=root)


def images(root: Path, **options: object) -> list[str]:
    """Return the images that a data set takes, below their folder."""
    options.setdefault('ann_file', '')
    options.setdefault(
        'data_prefix', dict(img_path='images', seg_map_path='labels')
    )
    dataset = build(root, **options)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    for info in infos:
        path = Path(info['img_path']).relative_to(root / 'images')
        assert info['seg_map_path'] == str(
            root / 'labels' / path.with_suffix('.png')
        )
    folder = root / 'images'
    return [str(Path(i['img_path']).relative_to(folder)) for i in infos]


def imported(root: Path) -> Path:
    """Import the labels, which lists the images; return their list."""
    (root / 'labels').rename(root / 'source')
    import_labels(
        'index-png', root / 'source', root / 'labels', images=root / 'images',
        classes=make_classes(CLASSES),
    )  # fmt: skip
    return root / 'labels/labels.json'


def test_what_is_imported_is_read_whatever_the_suffixes(root: Path) -> None:
    listed = read_sidecar(imported(root))['images']
    assert [info['image'] for info in listed.values()] == list(NAMES)
    assert images(root, ann_file='labels/labels.json') == list(NAMES)
    # A list beside that names images only, and images with tags alone.
    (root / 'list.txt').write_text('sub/c\nb point\n')
    assert images(root, ann_file='list.txt') == ['sub/c.png', 'b.JPG']
    (root / 'tags.txt').write_text('b tag cat\n')
    tagged = build(
        root, ann_file='tags.txt', tag_file='labels/labels.json',
        data_prefix=dict(img_path='images'),
    )  # fmt: skip
    assert tagged.get_data_info(0)['img_path'] == str(root / 'images/b.JPG')


def test_without_a_list_suffixes_are_named(root: Path) -> None:
    assert images(root) == ['a.jpg']
    assert images(root, img_suffix=SUFFIXES) == list(NAMES)
    (root / 'list.txt').write_text('sub/c.png\nb\na.jpg\n')
    ordered = ['sub/c.png', 'b.JPG', 'a.jpg']
    assert images(root, ann_file='list.txt', img_suffix=SUFFIXES) == ordered
    (root / 'list.txt').write_text('sub/c.png\nb.JPG\na\n')
    assert images(root, ann_file='list.txt') == ordered


@pytest.mark.parametrize('source', ['folder', 'list', 'labels.json'])
def test_lists_of_trl(source: str, root: Path, tool) -> None:
    (root / 'all.txt').write_text('a\nb.JPG\nsub/c.png\n')
    where = dict(
        folder=[root / 'images', '--img-suffix', ','.join(SUFFIXES)],
        list=[root / 'all.txt'],
    )  # fmt: skip
    given = where.get(source) or [imported(root)]
    images_of, *options = given
    tool(images_of, root / 'hybrid.txt', '--share', '1/3', *options)
    several = dict(img_suffix=SUFFIXES) if source == 'folder' else {}
    dataset = build(
        root, ann_file='hybrid.txt', lazy_init=True, data_prefix=dict(
            img_path='images', dense='labels'), **several,
    )  # fmt: skip
    entries = split_entries(root / 'hybrid.txt', dataset)
    assert [(e.name, e.image) for e in entries] == [
        (str(Path(name).with_suffix('')), name) for name in NAMES
    ]
    assert sum(e.supervision == 'dense' for e in entries) == 1


def test_an_image_that_moved_to_another_format_is_found(root: Path) -> None:
    path = imported(root)
    (root / 'images/b.JPG').rename(root / 'images/b.jpg')
    assert images(root, ann_file='labels/labels.json')[1] == 'b.jpg'
    (root / 'images/b.jpg').unlink()
    with pytest.raises(FileNotFoundError, match=r'images/b\.JPG is missing'):
        build(root, ann_file=str(path), data_prefix=dict(
            img_path='images', seg_map_path='labels'))  # fmt: skip


@pytest.mark.parametrize('ann_file', ['', 'list.txt'])
def test_images_that_differ_in_the_suffix_only(
    ann_file: str, root: Path
) -> None:
    write_image(root / 'images/a.png', seed=9)
    (root / 'list.txt').write_text('a\n')
    with pytest.raises(
        ValueError, match=r'a\.jpg and a\.png are two images of one name'
    ):
        images(root, img_suffix=SUFFIXES, ann_file=ann_file)
    (found,) = diagnose(examine(from_folder(root / 'labels', classes=CLASSES)))
    assert (found.code, found.severity) == ('images-share-labels', 'error')
    # Where the labels' list says which of them is meant, that counts.
    images_of = {'a': dict(supervision='point', image='a.png')}
    write_sidecar(root / 'labels/labels.json', CLASSES, images_of)
    assert images(root, ann_file='labels/labels.json') == ['a.png']
    data = from_folder(root / 'labels')
    assert (data.items[0].image, data.shared) == (
        str(root / 'images/a.png'), [],
    )  # fmt: skip


def test_the_doctor_finds_images_that_are_left_out(root: Path) -> None:
    dataset = dict(
        type='BaseSegDataset', data_root=str(root),
        metainfo=dict(classes=CLASSES),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
    )  # fmt: skip

    def codes() -> dict:
        cfg = dict(train_dataloader=dict(dataset=dataset))
        return {f.code: f for f in diagnose(examine(from_config(cfg)))}

    found = codes()
    assert set(found) == {'label-without-image', 'image-of-other-suffix'}
    assert found['image-of-other-suffix'].count == 2
    mend = "type='SparseSegDataset', img_suffix=['.JPG', '.jpg', '.png']"
    assert mend in found['image-of-other-suffix'].mend
    dataset |= dict(type='SparseSegDataset', img_suffix=SUFFIXES)
    assert codes() == {}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(img_suffix=[]), r'img_suffix: expected a suffix .* got \[\]'),
        (dict(img_suffix=['.jpg', 3]), 'img_suffix: expected a suffix'),
        (dict(img_suffix=SUFFIXES, backend_args=dict(backend='petrel')),
         'several suffixes must be local files'),
    ],
)  # fmt: skip
def test_wrong_suffixes(options: dict, message: str, root: Path) -> None:
    with pytest.raises(ValueError, match=message):
        images(root, **options)


def test_a_list_cannot_lead_out_of_the_folder(root: Path) -> None:
    path = imported(root)
    content = json.loads(path.read_text())
    content['images']['a']['image'] = '../a.jpg'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"images\['a'\]\.image: .*\.\./a"):
        read_sidecar(path)
