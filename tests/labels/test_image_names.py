"""What the names of images in annotation files mean."""

import time

import pytest

from mmseg_sparse.labels.image_finder import ImageFinder, possible_names

COMPOSED, APART = 'caf\u00e9', 'cafe\u0301'


@pytest.fixture
def finder(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(b'')
        return ImageFinder(tmp_path)

    return make


@pytest.mark.parametrize(
    ('stored', 'there', 'found'),
    [
        # Paths of this and other machines: the last part.
        (r'C:\pictures\a.png', ['a.png'], 'a.png'),
        (r'C:a.png', ['a.png'], 'a.png'),
        (r'\\server\share\a.png', ['a.png'], 'a.png'),
        ('/home/me/a.png', ['sub/a.png'], 'sub/a.png'),
        ('../images/a.png', ['a.png'], 'a.png'),
        (r'..\..\media\upload\4\cb0618f6-a.png', ['cb0618f6-a.png'],
         'cb0618f6-a.png'),
        ('./x/../a.png', ['a.png', 'x/a.png'], 'a.png'),
        # Folders in them decide where they can.
        ('/data/train/a.png', ['train/a.png', 'val/a.png'], 'train/a.png'),
        ('../val/a.png', ['a.png', 'train/a.png', 'val/a.png'], 'val/a.png'),
        ('train/a.png', ['val/a.png'], None),
        # Uploads: as stored, then without the digits.
        ('/data/upload/1/3f1c9a2b-street.png', ['3f1c9a2b-street.png'],
         '3f1c9a2b-street.png'),
        ('/data/upload/1/3f1c9a2b-street.png',
         ['3f1c9a2b-street.png', 'street.png'], '3f1c9a2b-street.png'),
        ('/data/upload/1/3f1c9a2b-street.png', ['street.png'], 'street.png'),
        ('upload/1/3f1c9a2b-street.png', ['x/street.png'], 'x/street.png'),
        ('images/3f1c9a2b-street.png', ['street.png'], 'street.png'),
        ('http://host/data/upload/1/3f1c9a2b-street.png', ['street.png'],
         'street.png'),
        ('3f1c9a2-street.png', ['street.png'], None),
        # URLs.
        ('https://host/x/a.png?size=2#top', ['a.png'], 'a.png'),
        ('https://host/x/a%20b.png', ['a b.png'], 'a b.png'),
        ('s3://bucket/val/a.png', ['train/a.png', 'val/a.png'], 'val/a.png'),
        ('file:///C:/x/a.png', ['a.png'], 'a.png'),
        ('/data/local-files/?d=sub/a.png', ['sub/a.png', 'a.png'],
         'sub/a.png'),
        ('http://host/data/local-files/?x=1&d=sub%5Ca%20b.png',
         ['sub/a b.png'], 'sub/a b.png'),
        ('/data/local-files/?d=sub/a.png', ['other/a.png'], None),
        # Plus and percent: as stored, then decoded.
        ('a+b.png', ['a+b.png', 'a b.png'], 'a+b.png'),
        ('a+b.png', ['a b.png'], 'a b.png'),
        ('a%2Bb.png', ['a+b.png', 'a b.png'], 'a+b.png'),
        ('a%20b.png', ['a%20b.png', 'a b.png'], 'a%20b.png'),
        ('a%20b.png', ['a b.png'], 'a b.png'),
        ('100%.png', ['100%.png'], '100%.png'),
        ('/data/local-files/?d=a+b.png', ['a+b.png'], 'a+b.png'),
        ('what?.png', ['what?.png'], 'what?.png'),
        ('no#1.png', ['no#1.png'], 'no#1.png'),
        # Accents of one or of two characters.
        (f'{COMPOSED}.png', [f'{APART}.png'], f'{APART}.png'),
        (f'{APART}.png', [f'{COMPOSED}.png'], f'{COMPOSED}.png'),
        (f'{APART}/a', [f'{COMPOSED}/a.png', 'b/a.png'], f'{COMPOSED}/a.png'),
        (f'{APART}.png', [f'{COMPOSED}.png', f'{APART}.png'],
         f'{APART}.png'),
        ('/', ['a.png'], None),
        ('..', ['a.png'], None),
    ],
)  # fmt: skip
def test_what_a_name_means(stored, there, found, finder):
    expected = [] if found is None else [found]
    assert [str(p) for p in finder(*there).locate(stored)] == expected


def test_folders_that_are_said_elsewhere_choose(finder):
    images = finder('train/a.png', 'val/a.png', 'val/old/a.png')
    for folders, found in (
        (['train'], ['train/a.png']),
        (['Val'], ['val/a.png', 'val/old/a.png']),
        (['val', 'old'], ['val/old/a.png']),
        (['test'], ['train/a.png', 'val/a.png', 'val/old/a.png']),
    ):
        assert [str(p) for p in images.locate('a.png', folders)] == found


def test_the_nearest_names_show_the_difference(finder):
    cyrillic = 'stre\u0435t.png'
    images = finder('road.png', cyrillic, 'x/street .png', 'tree.png')
    assert images.locate('street.png') == []
    nearest = images.nearest('/data/upload/1/3f1c9a2b-street.png')
    assert set(nearest.split(' and ')) == {
        r"'stre\u0435t.png'", "'x/street .png'",
    }  # fmt: skip


def test_nearest_names_are_found_fast(finder):
    images = finder('a.png')
    images.images = {'x': list(finder('a.png').images['a']) * 20000}
    began = time.process_time()
    images.nearest('b' * 10**6)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    'stored',
    ['../../etc/passwd', '/etc/passwd', r'C:\x', 'a/../../b', '%2e%2e/c'],
)
def test_no_name_leads_out(stored):
    names = possible_names(stored)
    assert names
    for name in names:
        assert not name.startswith('/')
        assert '..' not in name.split('/')
