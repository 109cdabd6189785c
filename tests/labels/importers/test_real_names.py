"""Names of images as exports have them, through the whole import."""

import pytest
from PIL import Image

from mmseg_sparse.labels.classes import make_classes
from mmseg_sparse.labels.importers.draw import ImportOptions
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.label_folder import read_sidecar

from .test_same_image import cvat_image, from_labelme, images_at, save

CLASSES = make_classes(['cat'])
#: A name as it is stored, and that of the image.
NAMES = {
    'parent': (r'..\..\label-studio\media\upload\4\cb0618f6-a.png',
               'cb0618f6-a'),
    'root': ('/home/me/pictures/a.png', 'a'),
    'drive': (r'D:\pictures\a.png', 'a'),
    'upload': ('images/3f1c9a2b-a.png', 'a'),
    'kept upload': ('/data/upload/1/3f1c9a2b-a.png', '3f1c9a2b-a'),
    'url': ('https://host/x/a%20b.png?v=1', 'a b'),
    'plus': ('a+b.png', 'a+b'),
    'composed': ('caf\u00e9.png', 'cafe\u0301'),
    'apart': ('cafe\u0301.png', 'caf\u00e9'),
}  # fmt: skip


def coco(folder, name):
    return save(folder / 'coco.json', {
        'images': [{'id': 1, 'file_name': name, 'width': 40, 'height': 30}],
        'categories': [{'id': 1, 'name': 'cat'}],
        'annotations': [{'id': 1, 'image_id': 1, 'category_id': 1}],
    })  # fmt: skip


def label_studio(folder, name):
    choice = {'type': 'choices', 'id': 'x', 'value': {'choices': ['cat']}}
    return save(folder / 'tasks.json', [
        {'data': {'image': name}, 'annotations': [{'result': [choice]}]},
    ])  # fmt: skip


def via(folder, name):
    return save(folder / 'via.json', {'x': {
        'filename': name, 'regions': [], 'file_attributes': {'is': 'cat'},
    }})  # fmt: skip


def cvat(folder, name):
    path = folder / 'a.xml'
    image = cvat_image(0, name, 'cat', (1, 1, 4, 4))
    path.write_text(f'<annotations>{image}</annotations>', encoding='utf-8')
    return path


def csv(folder, name):
    path = folder / 'a.csv'
    path.write_text(f'image,label,x,y\n{name},cat,1,1\n', encoding='utf-8')
    return path


def clicks(folder, name):
    return save(folder / 'a.json', {name: [{'x': 1, 'y': 1, 'cls': 0}]})


def labelme(folder, name):
    source = from_labelme(folder, name, name)
    (source / 'y' / '1.json').unlink()
    return source / 'x' / '0.json'


WRITERS = {
    'coco': coco, 'label-studio': label_studio, 'via': via, 'cvat': cvat,
    'csv': csv, 'whats-the-point': clicks, 'labelme': labelme,
}  # fmt: skip


def run(name, source, folder):
    import_labels(
        name, source, folder / 'out', images=folder / 'images',
        classes=CLASSES if name == 'whats-the-point' else None,
        options=ImportOptions(supervision='tag'),
    )  # fmt: skip
    return read_sidecar(folder / 'out')['images']


@pytest.mark.parametrize('name', WRITERS)
@pytest.mark.parametrize('case', NAMES)
def test_names(name, case, tmp_path):
    stored, image = NAMES[case]
    images_at(tmp_path, f'{image}.png')
    if case == 'kept upload':  # the name as it is stored goes first
        images_at(tmp_path, 'a.png')
    images = run(name, WRITERS[name](tmp_path, stored), tmp_path)
    assert list(images) == [image]
    assert images[image]['tags'] == ['cat']


@pytest.mark.parametrize('name', WRITERS)
def test_the_nearest_names_are_shown(name, tmp_path):
    images_at(tmp_path, 'stre\u0435t.png', 'street .png', 'house.png')
    source = WRITERS[name](tmp_path, 'street.png')
    with pytest.raises(ValueError, match=r"'street\.png': not in ") as caught:
        run(name, source, tmp_path)
    for near in (r"'stre\u0435t.png'", "'street .png'"):
        assert near in str(caught.value)
    assert 'house' not in str(caught.value)


def test_labels_are_drawn_on_a_turned_tiff(tmp_path):
    (tmp_path / 'images').mkdir()
    picture = Image.new('RGB', (30, 40))
    picture.save(tmp_path / 'images' / 'a.tif', tiffinfo={0x0112: 6})
    source = cvat(tmp_path, 'a.tif')  # 40 x 30, as it is shown
    import_labels('cvat', source, tmp_path / 'out', images=tmp_path / 'images')
    with Image.open(tmp_path / 'out' / 'a.png') as labels:
        assert labels.size == (40, 30)
