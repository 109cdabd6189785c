"""Files: JSON, XML and ZIP that are broken, huge or hostile."""

import io
import os
import struct
import time
import zipfile

import pytest

from mmseg_sparse.utils import untrusted as files
from mmseg_sparse.utils.untrusted import (
    FormatError,
    load_json,
    load_xml,
    read_bytes,
    read_zip_member,
)

LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>"""
FETCHES = b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<a>&x;</a>"""


def test_json(tmp_path):
    path = tmp_path / 'a.json'
    path.write_bytes(b'\xef\xbb\xbf{"a": [1, 2.5, "\xc3\xbc"]}')
    assert load_json(path) == {'a': [1, 2.5, 'ü']}
    assert load_json(path, text=b'[]') == []
    assert load_json(path, dict[str, list[float | str]]) == {
        'a': [1, 2.5, 'ü']
    }


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        (r'\ud83d\ude00', '\U0001f600'),
        (r'\uD83D\uDE00x', '\U0001f600x'),
        (r'\\ud83d', r'\ud83d'),
        (r'\ud83d', '\0'),
        (r'\ud83dx\udE00', '\0x\0'),
        (r'\ude00\ud83d\ude00', '\0\U0001f600'),
        (r'\\\ud83d', '\\\0'),
        (r'\ud83d\ud83d\ude00', '\0\U0001f600'),
    ],
)
def test_halves_of_surrogate_pairs(text, value):
    found = load_json('a.json', text=f'["{text}"]'.encode())
    assert found == [value]


@pytest.mark.parametrize(
    ('text', 'problem'),
    [
        (b'{"a": [1,\n 2', 'a.json: line 2, column 3: not valid JSON'),
        (b'', 'line 1, column 1: not valid JSON'),
        (
            b'{"a": NaN}',
            r"a.json: line 1, column 7: not valid JSON: .* got 'NaN}",
        ),
        (b'[-Infinity]', r"not valid JSON: .* got 'Infinity"),
        (b'["\xff"]', r"byte 2: not UTF-8 text: b'\\xff"),
        ('{"a": 1}'.encode('utf-16'), 'byte 0: not UTF-8 text'),
        (b'[' * 10**6, 'nested too deeply'),
        (b'{"a":' * 10**5, 'nested too deeply'),
        (
            b'[' + b'1' * 10**5 + b']',
            r'\[0\]: expected a finite number, got a value too long',
        ),
    ],
)
def test_bad_json(text, problem, tmp_path):
    path = tmp_path / 'a.json'
    path.write_bytes(text)
    with pytest.raises(FormatError, match=problem) as caught:
        load_json(path)
    assert '\n' not in str(caught.value)


def test_files_that_are_none(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / 'missing')
    with pytest.raises(FormatError, match='expected a file, got a folder'):
        read_bytes(tmp_path)
    if hasattr(os, 'mkfifo'):
        os.mkfifo(tmp_path / 'fifo')  # reading it would wait for ever
        with pytest.raises(FormatError, match='not a regular file'):
            read_bytes(tmp_path / 'fifo')
    (tmp_path / 'large').write_bytes(bytes(11))
    with pytest.raises(FormatError, match='11 bytes are more than 10'):
        read_bytes(tmp_path / 'large', 10)
    with open(tmp_path / 'sparse', 'wb') as file:
        file.truncate(files.MAX_BYTES + 1)
    with pytest.raises(FormatError, match='bytes are more than'):
        load_json(tmp_path / 'sparse')


def test_xml():
    root = load_xml('a.xml', '<?xml version="1.0" encoding="utf-8"?>'
                    '<!-- ü --><a b="ü">&lt;&#65;</a>'.encode())  # fmt: skip
    assert (root.tag, root.get('b'), root.text) == ('a', 'ü', '<A')
    latin = '<?xml version="1.0" encoding="latin-1"?><a>ü</a>'
    assert load_xml('a.xml', latin.encode('latin-1')).text == 'ü'


@pytest.mark.parametrize(
    'data',
    [LAUGHS, FETCHES, b'<!DOCTYPE a><a/>', b'<!DOCTYPE a SYSTEM "x.dtd"><a/>',
     LAUGHS.decode().replace('"1.0"', '"1.0" encoding="utf-16"')
     .encode('utf-16')],
    ids=['laughs', 'fetches', 'doctype', 'dtd', 'utf-16'],
)  # fmt: skip
def test_entities_are_refused_before_they_expand(data):
    with pytest.raises(FormatError, match=r'a.xml: a DOCTYPE .* is refused'):
        load_xml('a.xml', data)


@pytest.mark.parametrize(
    'data',
    [b'', b'<a>', b'<a><b></a>', b'<a/><b/>', b'<a>&x;</a>', b'{}',
     b'<a b="1" b="2"/>', b'<a>\xff</a>', b'<a>\0</a>',
     b'<?xml version="1.0" encoding="no-such"?><a/>',
     b'<?xml version="1.0" encoding="utf-7"?><a/>'],
)  # fmt: skip
def test_bad_xml(data):
    with pytest.raises(FormatError, match=r'a.xml: not valid XML: '):
        load_xml('a.xml', data)


def test_deep_xml_is_no_crash():
    depth = 100_000
    root = load_xml('a.xml', b'<a>' * depth + b'</a>' * depth)
    assert sum(1 for _ in root.iter()) == depth


def make_zip(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, 'w', method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_zip(tmp_path):
    path = tmp_path / 'a.zip'
    make_zip(path, {'images/x.jpg': b'x', 'sub/annotations.xml': b'<a/>'})
    expected = ('sub/annotations.xml', b'<a/>')
    assert read_zip_member(path, suffix='.xml') == expected
    assert read_zip_member(path, names=['annotations.xml']) == expected
    with pytest.raises(FormatError, match=r'expected one \*.json .* got \[\]'):
        read_zip_member(path, suffix='.json')
    make_zip(path, {'a.xml': b'', 'b.xml': b''})
    with pytest.raises(FormatError, match=r"got \['a.xml', 'b.xml'\]"):
        read_zip_member(path, suffix='.xml')


@pytest.mark.parametrize(
    'name', ['../a.xml', '/a.xml', 'x/../../a.xml', 'C:/a.xml', '..\\a.xml']
)
def test_zip_members_that_lead_out(name, tmp_path):
    make_zip(tmp_path / 'a.zip', {name: b'', 'b.xml': b'<a/>'})
    with pytest.raises(FormatError, match=r'a.zip: a member leads out of'):
        read_zip_member(tmp_path / 'a.zip', names=['b.xml'])


def test_zip_bombs(tmp_path):
    path = tmp_path / 'a.zip'
    make_zip(path, {'a.xml': bytes(64 * 2**20)})
    assert path.stat().st_size < 2**17
    began = time.process_time()
    with pytest.raises(FormatError, match=r'a.xml: unpacks to more than \d+'):
        read_zip_member(path, suffix='.xml')
    assert time.process_time() - began < 2


def test_zip_that_lies_about_its_size(tmp_path):
    buffer = io.BytesIO()
    make_zip(buffer, {'a.xml': bytes(40 * 2**20)})
    data = bytearray(buffer.getvalue())
    # The size before packing, in the header of the member and the directory.
    for signature, offset in ((b'PK\3\4', 22), (b'PK\1\2', 24)):
        at = data.find(signature) + offset
        assert struct.unpack_from('<I', data, at) == (40 * 2**20,)
        struct.pack_into('<I', data, at, 10)
    path = tmp_path / 'a.zip'
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r'Bad CRC-32|unpacks to more'):
        read_zip_member(path, suffix='.xml')


def test_broken_zips(tmp_path):
    path = tmp_path / 'a.zip'
    make_zip(path, {'a.xml': os.urandom(2000)})
    data = path.read_bytes()
    for spoilt in (b'', b'PK', data[:-30], data[:500] + b'xx' + data[502:],
                   data.replace(b'PK\3\4', b'PK\3\5')):  # fmt: skip
        path.write_bytes(spoilt)
        with pytest.raises(FormatError, match='not a readable ZIP file'):
            read_zip_member(path, suffix='.xml')
    locked = bytearray(data)
    for signature, offset in ((b'PK\3\4', 6), (b'PK\1\2', 8)):
        locked[data.find(signature) + offset] |= 1
    path.write_bytes(locked)
    with pytest.raises(FormatError, match='encrypted'):
        read_zip_member(path, suffix='.xml')
