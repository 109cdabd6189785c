"""Masks that are pictures: in black and white, and in colour."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.doctor import diagnose, examine, from_folder
from mmseg_sparse.labels.classes import make_classes, parse_classes
from mmseg_sparse.labels.importers import reader_options
from mmseg_sparse.labels.importers.draw import ImportOptions
from mmseg_sparse.labels.importers.import_labels import import_labels
from mmseg_sparse.labels.label_folder import read_sidecar

TABLE = 'background 0,0,0\ncat 128,0,0\nvoid 255,255,255\n'


def image(root: Path, name: str = 'a') -> None:
    path = root / 'images' / f'{name}.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (40, 30), (9, 9, 9)).save(path)


def mask(root: Path, values: object, name: str = 'a.png') -> Path:
    """Write 40 x 30 pixels of the first value, 10 x 15 of the second."""
    first, second = np.asarray(values, np.uint8)
    pixels = np.broadcast_to(first, (30, 40, *first.shape)).copy()
    pixels[5:15, 10:25] = second
    path = root / 'masks' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    image(root, path.stem)
    return path


def run(
    root: Path, *settings: str, out: str = 'out', **options: object
) -> tuple[list[int], dict]:
    """Import; return the pixels by value of the first map, and the list."""
    fill = options.pop('fill', None)
    import_labels(
        'index-png', root / 'masks', root / out, images=root / 'images',
        reader_options=reader_options('index-png', settings),
        options=ImportOptions(fill=fill), **options,
    )  # fmt: skip
    labels = np.array(Image.open(root / out / 'a.png'))
    counts = np.bincount(labels.ravel(), minlength=256)
    return [*counts[:2].tolist(), int(counts[255])], read_sidecar(root / out)


def table(root: Path, text: str = TABLE) -> str:
    (root / 'table.txt').write_text(text)
    return f'colours={root / "table.txt"}'


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_black_and_white(channels: int, tmp_path: Path) -> None:
    white = 255 if channels == 1 else [255] * channels
    black = 0 if channels == 1 else [0, 0, 0, 255][:channels]
    mask(tmp_path, [black, white])
    classes = dict(classes=make_classes(['background', 'cat']))
    with pytest.raises(ValueError, match=(
        r'masks: the values are 0 \(1050 pixels\) and 255 \(150 pixels\) '
        r'alone.*255 seems to be a class.*--option ignore_index=-1 '
        '--class-map 255=1 reads'
    )):  # fmt: skip
        run(tmp_path, **classes)
    assert not (tmp_path / 'out').exists()
    found, listed = run(
        tmp_path, 'ignore_index=-1', class_map={'255': 1}, **classes
    )
    assert found == [1050, 150, 0]
    assert listed['images']['a']['supervision'] == 'dense'
    # The user may insist.
    found, _ = run(tmp_path, 'ignore_index=255', out='sure', **classes)
    assert found == [1050, 0, 150]


def test_a_value_of_another_file_shows_that_255_is_no_label(
    tmp_path: Path,
) -> None:
    mask(tmp_path, [0, 255])
    mask(tmp_path, [1, 255], 'b.png')
    found, _ = run(tmp_path, classes=make_classes(['background', 'cat']))
    assert found == [1050, 0, 150]


def test_levels_of_grey(tmp_path: Path) -> None:
    mask(tmp_path, [0, 127])
    mask(tmp_path, [255, 0], 'b.png')
    mask(tmp_path, [0, 255], 'c.png')
    whole = mask(tmp_path, [127, 255], 'd.png')
    classes = dict(classes=make_classes(['a', 'b', 'c d']))
    with pytest.raises(ValueError, match="unknown class '127'"):
        run(tmp_path, **classes)
    levels = np.array(Image.open(whole))
    levels[:2] = 0
    Image.fromarray(levels).save(tmp_path / 'masks/a.png')
    with pytest.raises(ValueError, match=(
        r'a\.png: .*0 \(80 pixels\), 127 \(970 pixels\) and 255 \(150 '
        r'pixels\) alone, as in masks in grey.*--class-map 127=1 255=2 reads'
    )):  # fmt: skip
        run(tmp_path, **classes)
    read = dict(class_map={'127': 1, '255': 2}, **classes)
    assert run(tmp_path, 'ignore_index=-1', **read)[0] == [80, 970, 0]
    data = from_folder(tmp_path / 'masks', classes=('a', 'b', 'c d'))
    found = {f.code: f for f in diagnose(examine(data))}['black-and-white']
    assert "--class-map 127=b '255=c d';" in found.mend


def test_the_doctor_says_the_same(tmp_path: Path) -> None:
    mask(tmp_path, [0, 255])
    data = from_folder(tmp_path / 'masks', classes=('background', 'big cat'))
    found = {f.code: f for f in diagnose(examine(data))}
    finding = found['black-and-white']
    assert finding.severity == 'error'
    assert '0 (1050 pixels) and 255 (150 pixels) alone' in finding.message
    assert (
        "--classes 'background,big cat' --option ignore_index=-1 --class-map "
        "'255=big cat'" in finding.mend
    )
    mask(tmp_path, [1, 255], 'b.png')
    data = from_folder(tmp_path / 'masks', classes=('background', 'cat'))
    assert 'black-and-white' not in {f.code for f in diagnose(examine(data))}


@pytest.mark.parametrize('name', ['a.png', 'a.bmp', 'a.tif'])
def test_colours(name: str, tmp_path: Path) -> None:
    mask(tmp_path, [(0, 0, 0), (128, 0, 0)], name)
    void = dict(class_map={'void': 255})
    found, listed = run(tmp_path, table(tmp_path), **void)
    assert found == [1050, 150, 0]
    assert listed['classes'] == ['background', 'cat']
    assert listed['options']['reader'] == {'colours': 'table.txt'}
    assert 'table.txt' in listed['sources']
    palette = Image.open(tmp_path / 'out/a.png').getpalette()
    assert palette[3:6] == [128, 0, 0]
    # Other classes, in another order.
    classes = make_classes(['cat', 'background'])
    found, _ = run(tmp_path, table(tmp_path), classes=classes, out='b', **void)
    assert found == [150, 1050, 0]


def test_void_is_carved_out_and_a_palette_of_numbers(tmp_path: Path) -> None:
    mask(tmp_path, [(0, 0, 0), (255, 255, 255)])
    numbers = table(tmp_path, TABLE.replace('background', '').replace(
        'cat', '').replace('void', ''))  # fmt: skip
    with pytest.raises(ValueError, match=r'class names are needed.*--classes'):
        run(tmp_path, numbers)
    classes = make_classes(['background', 'cat'])
    void = dict(class_map={'2': 255}, classes=classes, fill='cat')
    assert run(tmp_path, numbers, **void)[0] == [1050, 0, 150]
    voc = (224, 224, 192)
    mask(tmp_path, [(64, 0, 0), voc])
    assert run(tmp_path, 'colours=PascalVOCDataset', out='voc')[0][2] == 150


def test_palettes_in_another_order(tmp_path: Path) -> None:
    path = mask(tmp_path, [(192, 128, 128), (64, 0, 0)])  # person and cat
    with Image.open(path) as picture:
        palette = Image.Palette.ADAPTIVE
        picture.convert('P', palette=palette).save(path)
    voc = parse_classes('PascalVOCDataset')
    with pytest.raises(
        ValueError, match=r'a\.png: 0 has the colour .*--colours FILE reads'
    ):
        run(tmp_path, classes=voc)
    run(tmp_path, 'colours=PascalVOCDataset', classes=voc)
    labels = np.array(Image.open(tmp_path / 'out/a.png'))
    assert np.bincount(labels.ravel())[[8, 15]].tolist() == [150, 1050]
    # The classes' own order is no finding, nor is what the user maps.
    shutil.copy(tmp_path / 'out/a.png', path)
    run(tmp_path, classes=voc, out='again')
    run(tmp_path, classes=voc, class_map={'8': 15, '15': 8}, out='map')


def test_colours_without_a_table(tmp_path: Path) -> None:
    classes = dict(classes=make_classes(['background', 'cat']))
    for name in ('a.png', 'a.jpg'):
        path = mask(tmp_path, [(0, 0, 0), (128, 0, 0)], name)
        with pytest.raises(
            ValueError,
            match=rf'masks/{name}: .* picture of \d+ colours: \(0, 0, 0\) in '
            r'\d+ pixels, .*--colours FILE reads it',
        ):
            run(tmp_path, **classes)
        path.unlink()


@pytest.mark.parametrize('setting', ['unknown=red', 'tolerance=256'])
def test_wrong_options(setting: str, tmp_path: Path) -> None:
    mask(tmp_path, [0, 1])
    with pytest.raises(ValueError, match='expected unknown=error or unlab'):
        run(tmp_path, setting, classes=make_classes(['a', 'b']))
