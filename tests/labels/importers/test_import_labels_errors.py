"""What an import refuses, and that it then writes nothing."""

import json
import multiprocessing

import pytest

from mmseg_sparse.labels.importers import draw as import_drawing
from mmseg_sparse.labels.importers.draw import ImportOptions
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.label_folder import read_sidecar
from mmseg_sparse.utils.untrusted import FormatError

from ...helpers.files import contents
from ...helpers.import_cases import (
    CLASSES,
    CONTENT,
    labelme,
    labels_of,
    make_source,
    shape,
)


def run(folder, source=None, classes=CLASSES, **more):
    return import_labels(
        'labelme', source or folder / 'json', folder / 'out',
        images=folder / 'images', classes=classes, **more,
    )  # fmt: skip


def refused(folder, problem, error=ValueError, **more):
    with pytest.raises(error, match=problem) as caught:
        run(folder, **more)
    assert '\n' not in str(caught.value)
    assert sorted(p.name for p in folder.iterdir()) == ['images', 'json']


@pytest.mark.parametrize(
    ('item', 'problem'),
    [
        (labelme('a.jpg', shape('car', 'point', [1, 1])),
         r'x.json: shapes\[0\].*: unknown class .car., known are "sky", "tr'),
        (labelme('a.jpg', flags={'car': True}), r"x.json: tags of a: .*'car'"),
        (labelme('z.jpg', size=(9, 9)), r"x.json: image 'z.jpg': not in "),
        (labelme('a.jpg', size=(40, 31)),
         r"x.json: image 'a.jpg': the size is 40 x 31 here and 40 x 30 in "),
        (labelme('a.jpg', size=(30, 40)), r'\(turned by its EXIF data\?\)'),
        (labelme('a.jpg', size=(10**9, 10**9)), '1000000000'),
        (labelme('a.jpg', shape('sky', 'point', [float('nan'), 1])), 'NaN'),
        (labelme('a.jpg', shape('sky', 'point', [1e308, 1])), r'1e\+308'),
    ],
)  # fmt: skip
def test_what_does_not_fit(item, problem, tmp_path):
    make_source(tmp_path, {**CONTENT, 'x': item})
    refused(tmp_path, problem)


def test_unknown_ones_can_be_skipped(tmp_path):
    cars = [shape('car', 'point', [n, n]) for n in (1, 2)]
    odd = labelme('b.jpg', *cars, flags={'wet': True})
    content = {**CONTENT, 'x': odd, 'y': labelme('z.jpg', size=(9, 9))}
    make_source(tmp_path, content)
    summary = run(tmp_path, options=ImportOptions(skip_unknown=True))
    assert summary.skipped_labels == {'car': 2, 'wet': 1}
    assert summary.skipped_images == ['z.jpg']


def test_sizes_shapes_and_files_can_be_skipped(tmp_path):
    outline = shape('sky', 'polygon', [1, 1], [9, 9])
    broken = [shape('sky', 'cube', [1, n]) for n in range(6)]
    content = {
        **CONTENT, 'v': labelme('sub/c', *broken, size=(20, 20)),
        'w': labelme('a.jpg', size=(1, 1)),
        'x': labelme('b.jpg', outline, shape('tree', 'point', [1, 1])),
        'y': labelme('sub/c', size=(20, 20)),
        'z': labelme('sub/c', size=(0, 0)),
    }  # fmt: skip
    source = make_source(tmp_path, content)
    (source / 'y.json').write_text('{"shapes": [')
    (tmp_path / 'images' / 'd.jpg').write_bytes(b'broken')
    (source / 'u.json').write_text(json.dumps(labelme('d', size=(9, 9))))
    summary = run(tmp_path, options=ImportOptions(skip_unknown=True))
    assert summary.skipped_sizes == ['a.jpg']
    # An unreadable image, six shapes, one outline, one file, one size.
    assert summary.skipped_entries == 1 + 6 + 1 + 1 + 1
    assert len(summary.reasons) == 5
    assert 'd.jpg: no image' in summary.reasons[0]
    assert "v.json: shapes[0].shape_type: 'cube'" in summary.reasons[1]
    assert summary.unannotated == 0
    for line in (
        '1 annotations of images of another size left out: a.jpg',
        '10 malformed entries or files left out, the first: ',
    ):
        assert line in summary.text()
    labels = labels_of(tmp_path / 'out' / 'b.png')
    assert labels[1, 1] == 1  # the rest of a file counts
    assert (labels != 255).sum() == 2
    sidecar = read_sidecar(tmp_path / 'out')
    numbers = ('skipped_images', 'skipped_sizes', 'skipped_entries')
    assert [sidecar[key] for key in numbers] == [0, 1, 10]


def test_nothing_is_left_when_all_is_skipped(tmp_path):
    make_source(tmp_path, {'x': labelme('a.jpg', size=(1, 1))})
    with pytest.raises(ValueError, match='0 are missing, 1 have another size'):
        run(tmp_path, options=ImportOptions(skip_unknown=True))
    assert not (tmp_path / 'out').exists()


def test_ambiguous_images(tmp_path):
    make_source(tmp_path, {'x': labelme('c', size=(20, 20))})
    (tmp_path / 'images' / 'two').mkdir()
    (tmp_path / 'images' / 'two' / 'c.png').write_bytes(b'')
    refused(tmp_path, r"x.json: image 'c': may be any of sub/c.jpg, two/c.png")


def test_images_of_one_name(tmp_path):
    make_source(tmp_path, CONTENT)
    image = (tmp_path / 'images' / 'a.jpg').read_bytes()
    (tmp_path / 'images' / 'a.png').write_bytes(image)
    content = labelme('a.png', size=(40, 30))
    (tmp_path / 'json' / 'x.json').write_text(json.dumps(content))
    refused(tmp_path, r"x.json: image 'a.png': .*a.png and .*a.jpg of 'a.jpg'")


def test_broken_sources_and_images(tmp_path):
    source = make_source(tmp_path)
    whole = (source / 'b.json').read_text()
    (source / 'b.json').write_text(whole[:50])
    refused(tmp_path, r'b.json: line 1, column \d+')
    (source / 'b.json').write_text(whole)
    (tmp_path / 'images' / 'b.jpg').write_bytes(b'no')
    refused(tmp_path, r'b.jpg: no image')
    (source / 'b.json').unlink()
    run(tmp_path)  # images that nothing names are not looked into


def test_nothing_labelled(tmp_path):
    make_source(tmp_path, {'a': labelme('a.jpg')})
    refused(tmp_path, 'no image would have a label: 1 images were read, 0')
    problem = r'json: classes: expected 1 to 255 classes, got 0'
    refused(tmp_path, problem, classes=None)


def test_arguments(tmp_path):
    make_source(tmp_path)
    for problem, more in (
        ('class map needs class names', {'classes': None,
                                         'class_map': {'a': 1}}),
        ("'sky' becomes 9, which is neither", {'class_map': {'sky': 9}}),
    ):  # fmt: skip
        refused(tmp_path, problem, **more)
    with pytest.raises(ValueError, match='labels of index-png are numbers'):
        import_labels('index-png', tmp_path, tmp_path / 'out',
                      images=tmp_path / 'images')  # fmt: skip
    for problem, options in (
        ('supervision must be one of auto, ', {'supervision': 'boxes'}),
        ('stroke width must be above 0', {'stroke_width': -1.0}),
    ):
        with pytest.raises(ValueError, match=problem):
            ImportOptions(**options)


def test_nothing_is_overwritten(tmp_path):
    make_source(tmp_path)
    run(tmp_path)
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match=r'out exists: .*--overwrite'):
        run(tmp_path)
    with pytest.raises(ValueError, match='overwritten by its own import'):
        run(tmp_path, source=tmp_path / 'out', overwrite=True)
    make_source(tmp_path, {'x': labelme('z.jpg', size=(9, 9))})
    with pytest.raises(ValueError, match=r"x.json: image 'z.jpg': not in"):
        run(tmp_path, overwrite=True)
    (tmp_path / 'json' / 'x.json').unlink()
    assert contents(tmp_path) == before
    run(tmp_path, overwrite=True, options=ImportOptions(stroke_width=9.0))
    after = contents(tmp_path)
    assert set(after) == set(before)
    assert after['out/a.png'] != before['out/a.png']


@pytest.mark.parametrize('workers', [1, 2])
def test_errors_while_drawing(workers, tmp_path, monkeypatch):
    make_source(tmp_path)
    real = import_drawing.rasterize

    def broken(annotation, *arguments, **options):
        if 'b.json' in annotation.source:
            raise FormatError('b.json', 'shapes[0]', 'is odd')
        return real(annotation, *arguments, **options)

    if multiprocessing.get_start_method() != 'fork' and workers > 1:
        pytest.skip('other processes do not see the broken function')
    monkeypatch.setattr(import_drawing, 'rasterize', broken)
    problem = r'^b.json: shapes\[0\]: is odd$'
    refused(tmp_path, problem, FormatError, workers=workers)
