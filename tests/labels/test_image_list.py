"""Lists that say how each image is labelled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_sparse.labels.image_list import SUPERVISIONS, parse_list


def read(text, default='scribble', img_suffix='.jpg'):
    content = text if isinstance(text, bytes) else text.encode()
    entries = parse_list(
        content, 'list.txt', default=default, img_suffix=img_suffix
    )
    return [(e.name, e.supervision, e.tags) for e in entries]


def test_lines_of_every_kind():
    assert read(
        '\n'
        '# a comment\n'
        '2007_000032\n'
        '  2007_000033   point   # clicked twice\r\n'
        'sub/2007_000039.jpg\ttag\taeroplane,  potted plant\n'
        '"IMG 1 #2.jpg" block sky # note\n'
        'img#1 dense'
    ) == [
        ('2007_000032', 'scribble', None),
        ('2007_000033', 'point', None),
        ('sub/2007_000039', 'tag', ('aeroplane', 'potted plant')),
        ('IMG 1 #2', 'block', ('sky',)),
        ('img#1', 'dense', None),
    ]


def test_default_and_byte_order_mark():
    assert read(b'\xef\xbb\xbfa\nb point\n', default='dense') == [
        ('a', 'dense', None), ('b', 'point', None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('a\nb dens', r"list\.txt:2: expected a .* of dense, .*, got 'dens'"),
        ('IMG 1 dense', r"list\.txt:1: expected .*, got '1' .*quotes"),
        ('a Dense', "got 'Dense'"),
        ('a\nb\na.jpg point', r"list\.txt:3: 'a' is listed twice, first in "
                              r'list\.txt:1'),
        ('a tag cat,, dog', r"list\.txt:1: empty class name in 'cat,, dog'"),
        ('a tag cat,', 'empty class name'),
        ('"a dense', r"list\.txt:1: expected a name in .* got '\"a dense'"),
        (b'a\n\xff\xfe', r'list\.txt: expected UTF-8 text'),
    ],
)  # fmt: skip
def test_errors_name_the_line(text, message):
    with pytest.raises(ValueError, match=message):
        read(text)


NAMES = st.text(
    st.characters(
        exclude_categories=('Cs', 'Cc', 'Zl', 'Zp'), exclude_characters='"'
    ),
    min_size=1,
    max_size=9,
)
CLASS_NAMES = st.lists(
    st.text('abc xyz_-', min_size=1).map(str.strip).filter(bool), min_size=1
)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    st.dictionaries(
        NAMES, st.tuples(st.sampled_from(SUPERVISIONS), CLASS_NAMES)
    )
)
def test_what_is_written_is_read(images):
    text = ''.join(
        f'"{name}" {kind} {", ".join(tags)}\n'
        for name, (kind, tags) in images.items()
    )
    assert read(text, img_suffix='_x.jpg') == [
        (name, kind, tuple(tags)) for name, (kind, tags) in images.items()
    ]


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_a_list_or_an_error_of_it(content):
    try:
        entries = read(content)
    except ValueError as error:
        assert str(error).startswith('list.txt')  # noqa: PT017
    else:
        assert all(kind in SUPERVISIONS for _, kind, _ in entries)
