"""SparseSegDataset says what is wrong, where, before training starts."""

import pytest

from tests.helpers.own_data import (
    CLASSES,
    build,
    make,
    write_image,
    write_sidecar,
)

STOCK = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
DENSE = dict(filter_cfg=dict(supervision='dense'))


@pytest.fixture
def root(tmp_path):
    return make(tmp_path)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a dense\nx point', r'train\.txt:2: image .*images/x\.jpg is miss'),
        ('x\ny\nz', r'train\.txt:1: .* so are 2 more'),
        ('a scribble', r'train\.txt:1: label file .*bbles/a\.png is miss'),
        ('e dense', r'e\.jpg is missing \(there is e\.png: see the suf'),
        ('no/a', r'no/a\.jpg is missing \(no folder .*/no\)'),
    ],
)  # fmt: skip
def test_missing_files(root, text, message):
    write_image(root / 'images' / 'e.png')
    (root / 'train.txt').write_text(text)
    with pytest.raises(FileNotFoundError, match=message):
        build(root)
    assert len(build(root, check_files=False)) == len(text.splitlines())


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a dense\nd tag', r'train\.txt:2: no tags of this image$'),
        ('d tag cat, gnu', r"train\.txt:1: unknown class 'gnu'"),
        ('d tag Cat', "unknown class 'Cat'; did you mean 'cat'"),
        ('a dens', r"train\.txt:1: expected .*, got 'dens'"),
        ('a dense\na dense', r"train\.txt:2: 'a' is listed twice"),
        ('a block', r'train\.txt:1: data_prefix names no folder for block '
                    'labels: neither block= nor seg_map_path='),
        ('# nothing', r'ann_file .*train\.txt has no images'),
    ],
)  # fmt: skip
def test_wrong_lists(root, text, message):
    (root / 'train.txt').write_text(text)
    folders = dict(img_path='images', dense='masks', seg_map_path=None)
    with pytest.raises(ValueError, match=message):
        build(root, data_prefix=folders)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(supervision='box'), "supervision: expected one .*, got 'box'"),
        (dict(data_prefix=dict(img_path='images', scribbles='s')),
         "data_prefix: expected one of img_path, seg_map.*, got 'scribbles'"),
        (dict(filter_cfg=dict(min_size=3)), "filter_cfg: .* got 'min_size'"),
        (dict(filter_cfg=dict(supervision='all')), "got 'all'"),
        (dict(filter_cfg=dict(supervision='block')),
         r'train\.txt: none of its 4 images is labelled by block'),
        (dict(classes=None), 'classes: expected the class names .* got None'),
        (dict(classes=()), 'classes: expected 1 to 255 classes, got 0'),
        (dict(classes=('a', 3)), r'classes\[1\]: expected a name, got 3'),
        (dict(classes=('a', 'b', 'a')), r"classes\[2\]: 'a' comes twice"),
        (dict(classes=[f'c{i}' for i in range(256)]),
         'classes: expected 1 to 255 classes, got 256'),
        (dict(metainfo=dict(classes=('x', 'y'))), 'classes is given twice'),
        (dict(palette=[[0, 0, 0]]), 'palette does not match classes'),
        (dict(background=3), r'background: expected an index in 0\.\.2, None'),
        (dict(background='cat'), "background: expected .* got 'cat'"),
        (dict(ignore_index=-1), r'ignore_index .* 0\.\.255, got -1'),
        (dict(label_map={0: 7}),
         r'label_map: expected a class in 0\.\.2, .* for the value 0, got 7'),
        (dict(label_map=[0], reduce_zero_label=True), 'cannot go together'),
        (dict(pipeline=STOCK),
         r"images/d\.jpg: has tags .*needs dict\(type='LoadSparseAnno"),
        (dict(pipeline=STOCK, **DENSE, ignore_index=0),
         r'ignore_index=0 is a value .* needs .*LoadSparseAnnotations'),
        (dict(pipeline=STOCK, **DENSE, label_map=[0, 1, 2]),
         r'label_map makes other values .* needs .*LoadSparseAnnotations'),
        (dict(ann_file='', img_suffix='.tif'),
         r"images \(img_suffix='\.tif'\) has no images"),
    ],
)  # fmt: skip
def test_wrong_arguments(root, changes, message):
    with pytest.raises(ValueError, match=message):
        build(root, **changes)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(classes='no.txt'), 'classes: the file no.txt does not exist'),
        (dict(tag_file='no.npy'), 'tag_file .*no.npy does not exist'),
        (dict(ann_file='masks'), 'ann_file .*masks is not a file'),
        (dict(ann_file='', data_prefix=dict(img_path='imgs')),
         "img_path .*imgs' is not a folder"),
    ],
)  # fmt: skip
def test_missing_arguments_files(root, changes, message):
    with pytest.raises(FileNotFoundError, match=message):
        build(root, **changes)


def test_classes_come_as_mmseg_users_give_them(root):
    dataset = build(root, classes=None, metainfo=dict(classes=list(CLASSES)))
    assert dataset.metainfo['classes'] == list(CLASSES)
    # As LabelMe writes its list of classes: the first line is void.
    (root / 'classes.txt').write_text('\n'.join(['__ignore__', *CLASSES, '']))
    dataset = build(root, classes=str(root / 'classes.txt'))
    assert dataset.tag_space.classes == CLASSES
    colours = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert build(root, palette=colours).metainfo['palette'] == colours


def test_stock_loading_of_plain_masks(root):
    dataset = build(root, pipeline=STOCK, **DENSE)
    assert set(dataset[0]['gt_seg_map'].flat) == {0, 2}
    # A choice of classes is stock mmseg's own.
    voc = dict(type='SparsePascalVOCDataset', classes=['cat'], **DENSE)
    assert len(build(root, pipeline=STOCK, **voc)) == 1


def test_labels_written_for_other_classes_are_refused(root):
    path = root / 'scribbles' / 'labels.json'
    images = {'b': dict(supervision='scribble', size=[7, 5])}
    write_sidecar(path, CLASSES, images)
    assert len(build(root)) == 4
    with pytest.raises(
        ValueError,
        match=r'labels\.json: its labels are of '
        r'the classes background, cat, dog; the dataset has '
        'cat, dog$',
    ):
        build(root, classes=('cat', 'dog'))  # fmt: skip
    # the same names at other numbers
    with pytest.raises(ValueError, match='its labels are of the classes'):
        build(root, classes=('background', 'dog', 'cat'))
    # counted from 1, and read so
    reduced = dict(classes=('cat', 'dog'), reduce_zero_label=True)
    assert build(root, **reduced).get_data_info(1)['reduce_zero_label']
    with pytest.raises(ValueError, match='its labels are of the classes'):
        build(root, classes=('cat', 'gnu'), reduce_zero_label=True)
