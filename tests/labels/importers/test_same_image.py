"""Entries of one name: one image, or two that must not share a map."""

import json

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.classes import make_classes
from mmseg_sparse.labels.importers.draw import ImportOptions
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.label_folder import read_sidecar

from ...helpers.import_cases import labelme, labels_of, shape

SIZE = (40, 30)
CAT, DOG = (2, 2, 10, 10), (20, 12, 35, 25)
CLASSES = make_classes(['cat', 'dog'])


def corners(left, top, right, bottom):
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def images_at(folder, *names):
    for name in names:
        path = folder / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', SIZE).save(path)


def cvat_image(index, name, label, box, **more):
    more = {'id': index, 'name': name, 'width': 40, 'height': 30} | more
    attributes = ' '.join(f'{key}="{value}"' for key, value in more.items())
    sides = zip(('xtl', 'ytl', 'xbr', 'ybr'), box, strict=True)
    place = ' '.join(f'{key}="{value}"' for key, value in sides)
    return f'<image {attributes}><box label="{label}" {place}/></image>'


def cvat(folder, one, other, meta='', **more):
    both = zip(('train', 'val'), (one, other), (CAT, DOG), strict=True)
    images = ''.join(
        cvat_image(i, name, ('cat', 'dog')[i], box, subset=subset, task_id=i)
        for i, (subset, name, box) in enumerate(both)
    )
    path = folder / 'annotations.xml'
    path.write_text(f'<annotations>{meta}{images}</annotations>')
    return path


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def coco(folder, one, other):
    return save(folder / 'coco.json', {
        'images': [
            {'id': i, 'file_name': name, 'width': 40, 'height': 30}
            for i, name in enumerate((one, other))
        ],
        'categories': [{'id': 0, 'name': 'cat'}, {'id': 1, 'name': 'dog'}],
        'annotations': [
            {'id': i, 'image_id': i, 'category_id': i,
             'bbox': [b[0], b[1], b[2] - b[0], b[3] - b[1]]}
            for i, b in enumerate((CAT, DOG))
        ],
    })  # fmt: skip


def label_studio(folder, one, other):
    return save(folder / 'tasks.json', [
        {'data': {'image': name}, 'annotations': [annotation(label, box)]}
        for name, label, box in ((one, 'cat', CAT), (other, 'dog', DOG))
    ])  # fmt: skip


def annotation(label, box, **more):
    points = [[x / 0.4, y / 0.3] for x, y in corners(*box)]
    return {**more, 'result': [
        {'type': 'polygonlabels', 'original_width': 40, 'original_height': 30,
         'value': {'points': points, 'polygonlabels': [label]}},
    ]}  # fmt: skip


def via(folder, one, other):
    return save(folder / 'via.json', {
        f'{name}{i}': {
            'filename': name, 'size': i,
            'regions': [{
                'region_attributes': {'label': ('cat', 'dog')[i]},
                'shape_attributes': {
                    'name': 'rect', 'x': b[0], 'y': b[1],
                    'width': b[2] - b[0], 'height': b[3] - b[1]},
            }],
        }
        for i, (name, b) in enumerate(((one, CAT), (other, DOG)))
    })  # fmt: skip


def csv(folder, one, other):
    path = folder / 'points.csv'
    path.write_text(f'image,label,x,y\n{one},cat,2,2\n{other},dog,20,12\n')
    return path


def from_labelme(folder, one, other):
    for path, name, label, box in (
        ('x/0.json', one, 'cat', CAT), ('y/1.json', other, 'dog', DOG),
    ):  # fmt: skip
        content = labelme(
            name, shape(label, 'polygon', *corners(*box)), size=SIZE
        )
        save(folder / 'json' / path, content)
    return folder / 'json'


def supervisely(folder, one, other):
    for path, label, box in (
        (f'train/ann/{one}', 'cat', CAT), (f'val/ann/{other}', 'dog', DOG),
    ):  # fmt: skip
        save(folder / 'project' / f'{path}.json', {
            'size': {'width': 40, 'height': 30},
            'objects': [{
                'geometryType': 'rectangle', 'classTitle': label,
                'points': {'exterior': [[v + .0 for v in box[:2]],
                                        [v + .5 for v in box[2:]]]},
            }],
        })  # fmt: skip
    return folder / 'project'


def masks(folder, one, other):
    for path, value in ((f'train/{one}', 0), (f'val/{other}', 1)):
        (folder / 'masks' / path).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.full((30, 40), value, np.uint8)
        Image.fromarray(pixels).save(folder / 'masks' / path)
    return folder / 'masks'


#: How each format has two images of one name: the names, and what of both
#: entries the error must show.
SAME = {
    'cvat': (cvat, 'a.png', 'a.png', "image[0], subset 'train', task 0",
             "image[1], subset 'val', task 1"),
    'coco': (coco, 'a.png', 'a.png', 'images[0]', 'images[1]'),
    'coco folders': (coco, 'train/a.png', 'val/a.png', 'images[0]',
                     'images[1]'),
    'label-studio': (
        label_studio, '/data/upload/1/3f1c9a2b-a.png',
        '/data/upload/2/9a2b3f1c-a.png', '3f1c9a2b-a.png', '9a2b3f1c-a.png',
    ),
    'label-studio equal': (label_studio, 'a.png', 'a.png',
                           "tasks[0] 'a.png'", "tasks[1] 'a.png'"),
    'label-studio storage': (
        label_studio, 's3://one/a.png', 's3://two/a.png', 's3://one/a.png',
        's3://two/a.png',
    ),
    'via': (via, 'a.png', 'a.png', "'a.png0'", "'a.png1'"),
    'csv': (csv, 'train/a.png', 'val/a.png', "'train/a.png'", "'val/a.png'"),
    'labelme': (from_labelme, 'a.png', 'a.png', "'x/a.png'", "'y/a.png'"),
    'labelme absolute': (
        from_labelme, r'C:\one\a.png', '/two/a.png', r'C:\\one\\a.png',
        '/two/a.png',
    ),
    'supervisely': (supervisely, 'a.png', 'a.png', 'train/ann/a.png.json',
                    'val/ann/a.png.json'),
    'index-png': (masks, 'a.png', 'a.png', "'train/a'", "'val/a'"),
}  # fmt: skip


def run(folder, case, images='images', **options):
    make, *names, _, _ = SAME[case]
    return import_labels(
        case.partition(' ')[0], make(folder, *names), folder / 'out',
        images=folder / images, classes=CLASSES, overwrite=True,
        options=ImportOptions(**options),
    )  # fmt: skip


@pytest.mark.parametrize('case', SAME)
@pytest.mark.parametrize('skip', [False, True])
def test_two_images_in_one_map(case, skip, tmp_path):
    images_at(tmp_path, 'a.png')
    with pytest.raises(ValueError, match='two images, but both') as caught:
        run(tmp_path, case, skip_unknown=skip)
    for part in SAME[case][-2:]:
        assert part in str(caught.value)
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'case', ['cvat', 'coco folders', 'supervisely', 'csv', 'index-png']
)
def test_what_the_source_says_of_folders_decides(case, tmp_path):
    images_at(tmp_path, 'train/a.png', 'val/a.png')
    run(tmp_path, case)
    cat = labels_of(tmp_path / 'out' / 'train' / 'a.png')
    dog = labels_of(tmp_path / 'out' / 'val' / 'a.png')
    assert set(np.unique(cat)) - {255} == {0}
    assert set(np.unique(dog)) - {255} == {1}
    if case == 'cvat':
        assert (cat == 0).sum() == 64
        assert (dog == 1).sum() == 195


def test_an_image_of_another_subset_is_not_taken(tmp_path):
    images_at(tmp_path, 'train/a.png', 'val/b.png')
    source = cvat(tmp_path, 'b.png', 'a.png')
    with pytest.raises(ValueError, match=r"'b.png': image\[0\], .* is in 'tr"):
        import_labels(
            'cvat', source, tmp_path / 'out', images=tmp_path / 'images'
        )


def test_names_of_tasks_decide_too(tmp_path):
    images_at(tmp_path, 'Monday/a.png', 'Friday/a.png')
    tasks = ''.join(
        f'<task><id>{i}</id><name>{name}</name></task>'
        for i, name in enumerate(('Monday', 'Friday'))
    )
    meta = f'<meta><project><tasks>{tasks}</tasks></project></meta>'
    source = cvat(tmp_path, 'a.png', 'a.png', meta)
    import_labels('cvat', source, tmp_path / 'out', images=tmp_path / 'images')
    monday = labels_of(tmp_path / 'out' / 'Monday' / 'a.png')
    assert (monday == 0).sum() == 64


def test_the_task_of_a_whole_export_decides(tmp_path):
    images_at(tmp_path, 'train/a.png', 'val/a.png')
    path = tmp_path / 'annotations.xml'
    path.write_text(
        '<annotations><meta><task><id>1</id><name>x</name><subset>val'
        '</subset></task></meta>'
        f'{cvat_image(0, "a.png", "cat", CAT)}</annotations>'
    )
    import_labels('cvat', path, tmp_path / 'out', images=tmp_path / 'images')
    assert (tmp_path / 'out' / 'val' / 'a.png').exists()
    assert not (tmp_path / 'out' / 'train').exists()


# One image, several annotators.


def completed(folder):
    return save(folder / 'tasks.json', [{
        'data': {'image': 'a.png'},
        'annotations': [
            annotation('cat', CAT, completed_by={'id': 1, 'email': 'ann@x'}),
            annotation('dog', CAT, completed_by=2),
        ],
    }])  # fmt: skip


def labelled(folder):
    objects = [
        {'geometryType': 'rectangle', 'classTitle': label,
         'labelerLogin': who,
         'points': {'exterior': [[2.0, 2.0], [10.0, 10.01]]}}
        for who, label in (('ann@x', 'cat'), ('2', 'dog'))
    ]  # fmt: skip
    return save(
        folder / 'a.png.json',
        {'size': {'width': 40, 'height': 30}, 'objects': objects},
    )


def table(folder):
    path = folder / 'points.csv'
    lines = 'Name,Row,Column,Label,Annotator', 'a.png,4,4,cat,ann@x'
    path.write_text('\n'.join((*lines, 'a.png,4,4,dog,2')))
    return path


def exported(folder):
    item = {'image_id': 1, 'bbox': [2, 2, 8, 8]}
    return save(folder / 'coco.json', {
        'images': [{'id': 1, 'file_name': 'a.png', 'width': 40, 'height': 30}],
        'categories': [{'id': 0, 'name': 'cat'}, {'id': 1, 'name': 'dog'}],
        'annotations': [item | {'category_id': 0, 'annotator': 'ann@x'},
                        item | {'category_id': 1, 'annotator': 2}],
    })  # fmt: skip


SEVERAL = {
    'label-studio': completed, 'supervisely': labelled, 'csv': table,
    'coco': exported,
}  # fmt: skip


@pytest.mark.parametrize('name', SEVERAL)
@pytest.mark.parametrize(
    ('annotator', 'label'),
    [(None, 1), ('merge', 1), ('first', 0), ('ann@x', 0), ('2', 1)],
)
def test_annotators(name, annotator, label, tmp_path):
    images_at(tmp_path, 'a.png')
    summary = import_labels(
        name, SEVERAL[name](tmp_path), tmp_path / 'out',
        images=tmp_path / 'images', classes=CLASSES,
        options=ImportOptions(annotator=annotator),
    )  # fmt: skip
    labels = labels_of(tmp_path / 'out' / 'a.png')
    assert labels[4, 4] == label
    assert set(np.unique(labels)) == {label, 255}
    merged = annotator in (None, 'merge')
    assert summary.merged == merged
    assert summary.skipped_annotations == (not merged)
    assert bool(summary.conflicts) == merged
    text = summary.text()
    assert ('1 images with labels of several annotators' in text) == merged
    assert ('1 annotations of other annotators left' in text) == (not merged)
    sidecar = read_sidecar(tmp_path / 'out')
    assert sidecar['options']['annotator'] == annotator


@pytest.mark.parametrize('name', SEVERAL)
def test_annotators_that_are_not_there(name, tmp_path):
    images_at(tmp_path, 'a.png')
    problem = "merge, first or one of '2', 'ann@x', got 'Bob'"
    with pytest.raises(ValueError, match=problem):
        import_labels(
            name, SEVERAL[name](tmp_path), tmp_path / 'out',
            images=tmp_path / 'images', classes=CLASSES,
            options=ImportOptions(annotator='Bob'),
        )  # fmt: skip


@pytest.mark.parametrize('annotator', ['first', 'ann@x'])
def test_formats_that_do_not_tell_annotators(annotator, tmp_path):
    images_at(tmp_path, 'train/a.png', 'val/a.png')
    with pytest.raises(ValueError, match='does not say who made which label'):
        run(tmp_path, 'coco folders', annotator=annotator)


def test_images_of_another_annotator_are_not_filled(tmp_path):
    images_at(tmp_path, 'a.png', 'b.png')
    source = save(tmp_path / 'tasks.json', [
        {'data': {'image': f'{name}.png'},
         'annotations': [annotation('cat', CAT, completed_by=who)]}
        for name, who in (('a', 1), ('b', 2))
    ])  # fmt: skip
    import_labels(
        'label-studio', source, tmp_path / 'out', classes=CLASSES,
        images=tmp_path / 'images',
        options=ImportOptions(annotator='1', fill='dog'),
    )  # fmt: skip
    assert list(read_sidecar(tmp_path / 'out')['images']) == ['a']


@pytest.mark.parametrize('case', ['label-studio equal', 'coco', 'via'])
def test_entries_of_one_name_can_be_said_to_be_one_image(case, tmp_path):
    images_at(tmp_path, 'a.png')
    with pytest.raises(ValueError, match='as one by --annotator merge'):
        run(tmp_path, case)
    run(tmp_path, case, annotator='merge')
    labels = labels_of(tmp_path / 'out' / 'a.png')
    assert (labels == 0).sum() == 64
    assert (labels == 1).sum() == 195


@pytest.mark.parametrize('case', ['cvat', 'supervisely', 'coco folders'])
def test_images_of_other_folders_cannot(case, tmp_path):
    images_at(tmp_path, 'a.png')
    with pytest.raises(ValueError, match='two images, but both') as caught:
        run(tmp_path, case, annotator='merge')
    assert '--annotator' not in str(caught.value)


# Annotation files that were renamed with their images.


@pytest.mark.parametrize('option', [None, 'file', 'path'])
@pytest.mark.parametrize('folder', ['', 'sub/'])
def test_a_file_renamed_with_its_image(option, folder, tmp_path):
    images_at(tmp_path, f'{folder}new.png')
    content = labelme('old.png', shape('cat', 'point', [1, 1]), size=SIZE)
    save(tmp_path / 'json' / f'{folder}new.json', content)
    arguments = dict(
        images=tmp_path / 'images', classes=CLASSES,
        reader_options={} if option is None else {'image': option},
    )  # fmt: skip
    if option == 'path':
        with pytest.raises(ValueError, match=r"'old.png': not in .*new.png'"):
            import_labels(
                'labelme', tmp_path / 'json', tmp_path / 'out', **arguments
            )
        return
    import_labels('labelme', tmp_path / 'json', tmp_path / 'out', **arguments)
    assert (tmp_path / 'out' / f'{folder}new.png').exists()


def test_files_renamed_in_a_row_are_not_guessed(tmp_path):
    images_at(tmp_path, 'a.png', 'b.png')
    content = labelme('a.png', shape('cat', 'point', [1, 1]), size=SIZE)
    source = save(tmp_path / 'b.json', content)
    problem = 'called as b.png and names a.png: which image'
    with pytest.raises(ValueError, match=problem):
        import_labels(
            'labelme', source, tmp_path / 'out', images=tmp_path / 'images'
        )
    for option, name in (('file', 'b'), ('path', 'a')):
        import_labels(
            'labelme', source, tmp_path / 'out', overwrite=True,
            images=tmp_path / 'images', reader_options={'image': option},
        )  # fmt: skip
        assert list(read_sidecar(tmp_path / 'out')['images']) == [name]
    Image.new('RGB', (9, 9)).save(tmp_path / 'images' / 'b.png')
    import_labels(  # of another size: it cannot be that
        'labelme', source, tmp_path / 'other', images=tmp_path / 'images'
    )
    assert list(read_sidecar(tmp_path / 'other')['images']) == ['a']


def test_two_masks_of_an_image(tmp_path):
    images_at(tmp_path, 'a.png')
    (tmp_path / 'masks').mkdir()
    for value, name in enumerate(('a.png', 'a.PNG')):
        pixels = np.full((30, 40), value, np.uint8)
        Image.fromarray(pixels).save(tmp_path / 'masks' / name)
    with pytest.raises(
        ValueError, match=r"'a' in a\.png and 'a' in a\.PNG of"
    ):
        import_labels(
            'index-png', tmp_path / 'masks', tmp_path / 'out',
            images=tmp_path / 'images', classes=CLASSES,
        )  # fmt: skip
