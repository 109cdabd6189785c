"""NumPy files: nothing in them is executed, and no size is believed."""

import io
import os
import pickle
import random
import struct

import numpy as np
import pytest
from numpy.lib import format as npy_format

from mmseg_sparse.utils.npy import load_npy
from mmseg_sparse.utils.untrusted import FormatError

TAGS = {
    '2007_000032': np.eye(20, dtype=np.float32)[3],
    'ü': np.array([0, 1], '>i8'),
    'z': np.zeros(0, np.uint8),
}


def object_file(path, pickled, shape=()):
    header = {'descr': '|O', 'fortran_order': False, 'shape': shape}
    buffer = io.BytesIO()
    npy_format.write_array_header_1_0(buffer, header)
    path.write_bytes(buffer.getvalue() + pickled)
    return path


def box(content):
    array = np.empty((), object)
    array[()] = content
    return array


@pytest.mark.parametrize('protocol', range(5))
def test_dicts_of_vectors(protocol, tmp_path):
    path = object_file(
        tmp_path / 'a.npy', pickle.dumps(box(TAGS), protocol=protocol)
    )
    loaded = load_npy(path).item()
    assert list(loaded) == list(TAGS)
    for key, vector in TAGS.items():
        assert np.array_equal(loaded[key], vector)
        assert loaded[key].dtype == vector.dtype.newbyteorder('=')


def test_what_np_save_writes(tmp_path):
    path = tmp_path / 'a.npy'
    objects = np.array(
        [{'a': np.float64(2.5)}, ['x', (1, None)], 'text', True], object
    ).reshape(2, 2, order='F')
    for array in (
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype='>u2').reshape(2, 3)),
        np.array('text'), np.array([b'x', b'yz']), np.zeros((0, 3)),
        np.array([True, False]), objects,
    ):  # fmt: skip
        np.save(path, array)
        loaded = load_npy(path)
        assert loaded.shape == array.shape
        assert loaded.tolist() == array.tolist()


class Runs:
    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


def test_pickled_programs_do_not_run(tmp_path):
    proof = tmp_path / 'proof'
    command = f'touch {proof}'
    for call in (
        (eval, f'open({str(proof)!r}, "w")'),
        (exec, f'open({str(proof)!r}, "w")'),
        (os.system, command),
    ):
        np.save(tmp_path / 'a.npy', box({'x': Runs(*call)}))
        with pytest.raises(FormatError, match=r'it names .*, which is not'):
            load_npy(tmp_path / 'a.npy')
        assert not proof.exists()
    np.load(tmp_path / 'a.npy', allow_pickle=True)
    assert proof.exists()  # so it would have run


@pytest.mark.parametrize(
    'name',
    ['os system', 'builtins getattr', 'numpy load', 'numpy.ma.core os',
     'numpy dtype.__init__', 'numpy._core.multiarray fromfile',
     'mmseg_sparse.utils.npy _Array', 'copyreg _reconstructor'],
)  # fmt: skip
def test_names_are_refused(name, tmp_path):
    pickled = f'c{name.replace(" ", chr(10))}\n.'.encode()
    with pytest.raises(FormatError, match='which is not read'):
        load_npy(object_file(tmp_path / 'a.npy', pickled))


def reduce(module, name, arguments, state=None):
    """Pickle a call with plain arguments, and maybe a state."""
    data = f'c{module}\n{name}\n'.encode() + arguments + b'R'
    if state is not None:
        data += pickle.dumps(state, 2)[2:-1] + b'b'
    return data


ARRAY = b'(cnumpy\nndarray\n(K\x00tU\x01bt'
DTYPE = reduce('numpy', 'dtype', b'(U\x02f4K\x00K\x01t')


def crafted(shape, data, dtype=DTYPE):
    state = b'(K\x01' + pickle.dumps(shape, 2)[2:-1] + dtype + b'\x89'
    state += pickle.dumps(data, 2, fix_imports=False)[2:-1] + b't'
    return (b'\x80\x02' + reduce('numpy.core.multiarray', '_reconstruct',
                                 ARRAY) + state + b'b.')  # fmt: skip


def test_crafted_arrays(tmp_path):
    path = tmp_path / 'a.npy'
    good = crafted((2,), np.float32([1, 2]).tobytes())
    assert load_npy(object_file(path, good)).tolist() == [1, 2]
    for shape, data in (
        ((10**12,), b'abcd'), ((-1,), b'abcd'), ((2**40, 2**40), b'abcd'),
        ((1.0,), b'abcd'), ([1], b'abcd'), ((1,), b'abc'), ((10**10,), []),
        ((1,), None), ((1,) * 40, b'abcd'),
    ):  # fmt: skip
        with pytest.raises(FormatError, match=r'does not fit|no data'):
            load_npy(object_file(path, crafted(shape, data)))
    odd = reduce('numpy', 'dtype', b'(U\x03i4,t')
    for dtype in (odd, b'K\x05', b'N'):
        with pytest.raises(FormatError, match='are not read'):
            load_npy(object_file(path, crafted((1,), b'abcd', dtype)))


def test_pickles_that_ask_for_memory(tmp_path):
    path = tmp_path / 'a.npy'
    for pickled in (
        b'Nr' + struct.pack('<I', 2**31) + b'.',  # a memo of 2³¹ places
        b'Nr' + struct.pack('<I', 10**6) + b'.',
        b'Np99999999999999\n.',
        b'\x96' + struct.pack('<Q', 2**40) + b'.',  # a bytearray
        b'B' + struct.pack('<I', 2**31) + b'.',
        b'\x8b' + struct.pack('<i', 2**30) + b'.',  # an int
    ):
        with pytest.raises(FormatError, match='refused pickle'):
            load_npy(object_file(path, pickled))


def test_names_cannot_be_altered(tmp_path):
    name = b'cnumpy.core.multiarray\nscalar\n'
    for state in ({'make': 5}, (None, {'make': 5}), ({}, {'__call__': 5})):
        pickled = b'\x80\x02' + name + pickle.dumps(state, 2)[2:-1] + b'b.'
        with pytest.raises(FormatError, match='a name is given a state'):
            load_npy(object_file(tmp_path / 'a.npy', pickled))
    with pytest.raises(FormatError, match=r'refused pickle|unexpected'):
        load_npy(object_file(tmp_path / 'a.npy', name + b'.'))


@pytest.mark.parametrize(
    'header',
    [{'descr': '<f4', 'fortran_order': False, 'shape': (10**9, 10**9)},
     {'descr': '<f4', 'fortran_order': False, 'shape': (-4,)},
     {'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,)},
     {'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)}],
)  # fmt: skip
def test_lying_headers(header, tmp_path):
    buffer = io.BytesIO()
    npy_format.write_array_header_1_0(buffer, header)
    (tmp_path / 'a.npy').write_bytes(buffer.getvalue() + bytes(8))
    with pytest.raises(FormatError, match=r'does not fit|are not read'):
        load_npy(tmp_path / 'a.npy')


def test_damaged_files_are_refused_or_read(tmp_path):
    path = tmp_path / 'a.npy'
    np.save(path, box(TAGS))
    data = path.read_bytes()
    rng = random.Random(0)
    refusals = []
    for _ in range(400):
        spoilt = bytearray(data[: rng.choice([len(data), rng.randrange(900)])])
        for _ in range(rng.randint(0, 3)):
            if spoilt:
                spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
        path.write_bytes(spoilt)
        try:
            load_npy(path)
        except FormatError as error:
            refusals.append(str(error))
    assert len(refusals) > 200
    assert not any('\n' in refusal for refusal in refusals)
