"""Finding images by the names that annotation files give them."""

import os
import struct

import mmcv
import pytest
from PIL import Image

from mmseg_sparse.labels.image_finder import ImageFinder, image_size
from mmseg_sparse.utils.untrusted import FormatError


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / 'images'
    for name in ('a.jpg', 'b.jpg', 'b.png', 'train/c.png', 'val/c.png',
                 'train/d.PNG', 'v1.2.tif', '.hidden/e.jpg', 'notes.txt',
                 '.f.jpg', 'x/train/d.png', 'train/g.jpg'):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b'')
    return root


@pytest.mark.parametrize(
    ('name', 'found'),
    [
        ('a.jpg', ['a.jpg']),
        ('a', ['a.jpg']),
        ('a.png', ['a.jpg']),  # annotated before it was converted
        ('images/a.jpg', ['a.jpg']),
        ('project/images/a', ['a.jpg']),
        ('b.png', ['b.png']),
        ('b', ['b.jpg', 'b.png']),
        ('b.tif', ['b.jpg', 'b.png']),
        ('b.JPG', ['b.jpg']),
        ('c', ['train/c.png', 'val/c.png']),
        ('val/c', ['val/c.png']),
        ('val/c.png', ['val/c.png']),
        ('data/val/c.jpg', ['val/c.png']),
        ('test/c.png', []),
        ('train/d.png', ['train/d.PNG']),  # the path goes before the suffix
        ('g', ['train/g.jpg']),
        ('v1.2', ['v1.2.tif']),
        ('v1', []),
        ('e', []),
        ('.f', []),
        ('notes.txt', []),
        ('', []),
    ],
)
def test_names(name, found, folder):
    assert [str(p) for p in ImageFinder(folder).find(name)] == found


def test_folders(folder, tmp_path):
    assert len(ImageFinder(folder)) == 9
    finder = ImageFinder(folder, exclude=[folder / 'train', folder / 'no'])
    assert len(finder) == 6
    os.symlink(folder, folder / 'val' / 'circle')
    os.symlink(tmp_path / 'elsewhere', folder / 'linked')
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere' / 'k.jpg').write_bytes(b'')
    found = ImageFinder(folder)
    assert len(found) == 10
    assert [str(p) for p in found.find('k')] == ['linked/k.jpg']
    with pytest.raises(FileNotFoundError, match=r'no folder of images: .*no'):
        ImageFinder(folder / 'no')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r'no images in .*empty'):
        ImageFinder(tmp_path / 'empty')


@pytest.mark.parametrize('orientation', range(1, 9))
def test_sizes_are_as_shown(orientation, tmp_path):
    picture = Image.new('RGB', (30, 20))
    exif = picture.getexif()
    exif[0x0112] = orientation
    for name in ('a.jpg', 'a.png', 'a.tif', 'a.webp'):
        picture.save(tmp_path / name, exif=exif)
        expected = (20, 30) if orientation >= 5 else (30, 20)
        assert image_size(tmp_path / name) == expected
        loaded = mmcv.imfrombytes((tmp_path / name).read_bytes())  # as mmseg
        assert loaded.shape[1::-1] == expected


def test_images_are_not_decoded(tmp_path):
    path = tmp_path / 'a.png'
    Image.new('L', (300, 200)).save(path)
    path.write_bytes(path.read_bytes()[:60])  # its header alone
    assert image_size(path) == (300, 200)


def test_what_is_no_image(tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(b'no')
    with pytest.raises(FormatError, match=r'a.jpg: no image'):
        image_size(path)
    Image.new('L', (3, 2)).save(path, 'PNG')
    data = bytearray(path.read_bytes())
    struct.pack_into('>II', data, 16, 10**9, 10**9)
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r'a.jpg: ') as caught:
        image_size(path)
    assert '\n' not in str(caught.value)
