"""Every reader goes on behind what is malformed, where it is let."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.image_finder import possible_names
from mmseg_sparse.labels.importers import FORMATS, load_reader
from mmseg_sparse.labels.importers.annotation import (
    ImageAnnotation,
    Point,
    Region,
    Stroke,
)
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers import writers_a, writers_b, writers_c

LINE = Stroke('cat', np.array([[1.5, 2.5], [8.5, 4.5]]))
CLICK = Point('cat', (3.5, 4.5))
AREA = Region('cat', (np.array([[1, 1], [6, 1], [6, 5.0]]),))
FLAT = Region('cat', (np.array([[1, 1], [6, 5.0]]),))


def images(*shapes: Any) -> list[ImageAnnotation]:
    """Return what is written: a shape, its malformed twin, a shape."""
    return [ImageAnnotation(f'{i}.jpg', '', (20, 10), shapes) for i in (1, 2)]


def in_folder(
    write: Callable[[ImageAnnotation], Any], suffix: str, *shapes: Any
) -> Callable[[Path], list[str]]:
    """Write two images with one bad shape each, and a file that is cut."""

    def make(folder: Path) -> list[str]:
        for annotation in images(*shapes):
            content = write(annotation)
            if not isinstance(content, bytes):
                content = json.dumps(content).encode()
            name = annotation.image.removesuffix('.jpg')
            (folder / f'{name}{suffix}').write_bytes(content)
        (folder / f'15{suffix}').write_bytes(content[:-9])
        return [f'1{suffix}', f'15{suffix}', f'2{suffix}']

    return make


def in_file(
    write: Callable[[list[ImageAnnotation]], Any],
    spoil: Callable[[Any], Any],
    *shapes: Any,
) -> Callable[[Path], list[str]]:
    """Write two images with one bad shape each, and spoil an image more."""

    def make(folder: Path) -> list[str]:
        lost = ImageAnnotation('lost.jpg', '', (20, 10))
        content = write([*images(*shapes), lost])
        if not isinstance(content, bytes):
            content = json.dumps(spoil(content)).encode()
        else:
            content = spoil(content)
        (folder / 'source').write_bytes(content)
        return ['source'] * 3

    return make


def coco_size(content: Any) -> Any:
    content['images'][2]['width'] = 0
    return content


def panoptic(folder: Path) -> list[str]:
    classes = np.array([[0, 1, 1]], np.uint8)
    content = writers_c.coco_panoptic(
        folder / 'source', {f'{i}.jpg': (classes, 0) for i in (1, 15, 2)},
        ['cat', 'dog'],
    )  # fmt: skip
    content['annotations'][1]['segments_info'] = []
    content['annotations'].append(None)
    (folder / 'source.json').write_text(json.dumps(content))
    return ['source.json'] * 2


def studio_data(content: Any) -> Any:
    content[2]['data'] = None
    return content


def via_regions(content: Any) -> Any:
    content['lost.jpg2']['regions'] = None
    return content


def clicks(annotations: Any) -> Any:
    content = writers_b.whats_the_point(annotations)
    for image in ('1.jpg', '2.jpg'):
        content[image].insert(1, {'x': 1, 'y': None, 'cls': 1})
    return {**content, 'lost.jpg': None}


def scribbles(annotation: ImageAnnotation) -> bytes:
    data = writers_b.scribblesup_xml(annotation)
    return data.replace(b'</polygon>', b'</polygon><polygon/>', 1)


def table(folder: Path) -> list[str]:
    (folder / 'source').write_text(
        'Name,Row,Column,Label\n1.jpg,4,3,cat\n1.jpg,4,x,cat\n'
        '1.jpg,4,3,cat\n2.jpg,4,3,cat\n2.jpg,4,3\n..,1,1,cat\n2.jpg,4,3,cat\n'
    )
    return ['source'] * 3


def maps(suffix: str) -> Callable[[Path], list[str]]:
    def make(folder: Path) -> list[str]:
        for name in '12':
            Image.fromarray(np.array([[1, 2, 1]], np.uint8)).save(
                folder / f'{name}{suffix}'
            )
        (folder / f'15{suffix}').write_bytes(b'cut')
        return [f'15{suffix}']

    return make


def volumes(folder: Path) -> list[str]:
    labels = np.array([[[1], [2], [1]]], np.uint8)
    for name in '12':
        writers_c.save_nifti(folder / f'{name}.nii', labels, (1, 1, 1))
    (folder / '15.nii').write_bytes(b'cut')
    return ['15.nii']


def nnunet(folder: Path) -> list[str]:
    content = {'labels': {'cat': 1, 'dog': 2}, 'file_ending': '.png'}
    (folder / 'dataset.json').write_text(json.dumps(content))
    (folder / 'labelsTr').mkdir()
    return [f'labelsTr/{name}' for name in maps('.png')(folder / 'labelsTr')]


def tags(folder: Path) -> list[str]:
    good = np.array([0, 1, 1.0])
    content = {'1.jpg': good, 'x': good[:2], 'y': good * 7, '2.jpg': good}
    with open(folder / 'source', 'wb') as file:
        np.save(file, np.array(content, object))
    return ['source', 'source']


SOURCES = {
    'labelme': in_folder(writers_a.labelme, '.json', LINE, FLAT, AREA),
    'cvat': in_file(
        writers_a.cvat,
        lambda data: data.replace(b'name="lost.jpg"', b''),
        LINE, FLAT, AREA,
    ),
    'label-studio': in_file(
        writers_a.label_studio, studio_data, CLICK, FLAT, AREA
    ),
    'coco': in_file(
        lambda a: writers_a.coco(a, compressed=True), coco_size,
        CLICK, FLAT, AREA,
    ),
    'coco-panoptic': panoptic,
    'supervisely': in_folder(
        writers_b.supervisely, '.json', LINE, FLAT, AREA
    ),
    'via': in_file(writers_b.via, via_regions, LINE, FLAT, AREA),
    'isat': in_folder(writers_c.isat, '.json', AREA, FLAT, AREA),
    'qupath': in_folder(
        lambda a: writers_b.qupath(a), '.geojson', LINE,
        Region('cat', (FLAT.rings[0][:1],)), AREA,
    ),
    'csv': table,
    'label-images': maps('.tif'),
    'nifti': volumes,
    'nnunet': nnunet,
    'scribblesup-xml': in_folder(scribbles, '.xml', LINE, LINE),
    'whats-the-point': in_file(
        clicks, lambda content: content,
        Point('1', (3.5, 4.5)), Point('2', (5.5, 5.5)),
    ),
    'index-png': maps('.png'),
    'onehot-tags': tags,
}  # fmt: skip


def test_every_format_is_tried() -> None:
    assert set(SOURCES) == set(FORMATS)


@pytest.mark.parametrize('name', FORMATS)
def test_the_rest_is_read(name: str, tmp_path: Path) -> None:
    wrong = SOURCES[name](tmp_path)
    files = (tmp_path / 'source.json', tmp_path / 'source')
    source = next((file for file in files if file.is_file()), tmp_path)
    read = load_reader(name)
    errors: list[FormatError] = []
    found = list(read(source, on_error=errors.append))
    # Slices and channels have a number behind the name.
    names = [possible_names(a.image)[-1] for a in found]
    stems = [Path(name).stem.partition('_')[0] for name in names]
    assert stems == ['1', '2']
    assert {len(a.shapes or a.tags) for a in found} == {2}
    assert len(errors) == len(wrong)
    for error, file in zip(errors, wrong, strict=True):
        assert str(error).startswith(str(tmp_path / file))
    with pytest.raises(FormatError) as refused:
        list(read(source))
    assert str(refused.value) in map(str, errors)
