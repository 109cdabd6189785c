"""Arrays of ``.npy`` files, also of pickled dicts, without running them.

NumPy stores a dict as a pickle, and a pickle is a program. Here it is read
with stand-ins for the few names that arrays need; every other name is
refused, and no object gets to act before its parts are checked.
"""

import io
import math
import pickle
import pickletools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from .untrusted import FormatError, read_bytes, reason, shown

_PLAIN = re.compile(r'\|?[<>=]?([biuf?SU])\d*', re.ASCII)
_MAX_DEPTH = 8
#: What breaking or lying pickles raise out of the standard unpickler.
_BROKEN = (
    pickle.UnpicklingError, ValueError, TypeError, KeyError, IndexError,
    AttributeError, EOFError, OverflowError, MemoryError, UnicodeError,
    ImportError, RecursionError,
)  # fmt: skip


def load_npy(path: Path) -> NDArray[Any]:
    """Read a ``.npy`` file without executing anything in it.

    Returns:
        The array. An array of objects (a dict saved by ``np.save`` is one
        without axes: ``load_npy(path).item()``) may hold dicts, lists,
        tuples, texts, numbers and arrays and scalars of numbers.

    Raises:
        FormatError: If the file is broken, its shape does not fit its bytes,
            or its pickle names anything but NumPy's arrays.
        OSError: If the file cannot be read.
    """
    data = read_bytes(path)
    stream = io.BytesIO(data)
    try:
        version = npy_format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = npy_format.read_array_header_1_0(stream)
        else:
            shape, fortran, dtype = npy_format.read_array_header_2_0(stream)
    except Exception as error:  # also those of Python's tokenizer
        raise FormatError(
            path, '', f'not a readable .npy file: {reason(error)}'
        ) from error
    rest = data[stream.tell() :]
    if dtype.hasobject:
        return _load_objects(path, rest)
    if dtype.kind not in 'biufSU':
        raise FormatError(path, '', f'arrays of {dtype} are not read')
    return _array(path, shape, dtype, rest, 'F' if fortran else 'C')


class _Array:
    """Stand-in of an array: its state, as the pickle stores it."""

    __slots__ = ('arguments', 'state')

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _DType(_Array):
    """Stand-in of a dtype: its name is the first argument."""

    __slots__ = ()


class _Scalar(_Array):
    """Stand-in of a scalar of NumPy: its arguments are dtype and bytes."""

    __slots__ = ()


def _encode(text: Any, encoding: Any) -> bytes:
    """Stand-in of ``_codecs.encode``: how protocol 2 stores bytes."""
    if not isinstance(text, str) or encoding != 'latin1':
        raise pickle.UnpicklingError('only latin1 text is encoded')
    return text.encode('latin1')


def _no_bytes() -> bytes:
    """Stand-in of ``bytes``: how protocol 2 stores none."""
    return b''


class _Name:
    """What a name in a pickle becomes: it can be called and nothing else."""

    __slots__ = ('make',)

    def __init__(self, make: Callable[..., Any] | None) -> None:
        self.make = make

    def __call__(self, *arguments: Any) -> Any:
        if self.make is None:
            raise pickle.UnpicklingError('numpy.ndarray is called')
        return self.make(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError('a name is given a state')


_ALLOWED: dict[tuple[str, str], Callable[..., Any] | None] = {
    ('numpy', 'ndarray'): None,
    ('numpy', 'dtype'): _DType,
    ('_codecs', 'encode'): _encode,
    ('builtins', 'bytes'): _no_bytes,
    ('__builtin__', 'bytes'): _no_bytes,
}
for _module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
    _ALLOWED[_module, '_reconstruct'] = _Array
    _ALLOWED[_module, 'scalar'] = _Scalar


class _Unpickler(pickle.Unpickler):
    """Unpickler that knows the stand-ins and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(
                f'it names {module}.{name}, which is not read'
            )
        return _Name(_ALLOWED[module, name])


def _load_objects(path: Path, data: bytes) -> NDArray[Any]:
    try:
        # The unpickler makes room for the highest memo number that is named.
        for opcode, argument, _ in pickletools.genops(data):
            if opcode.name.endswith('PUT') and int(argument or 0) > len(data):
                raise pickle.UnpicklingError(f'memo number {argument}')
        loaded = _Unpickler(io.BytesIO(data), encoding='latin1').load()
        value = _Converter(path).convert(loaded)
    except FormatError:
        raise
    except _BROKEN as error:
        raise FormatError(
            path, '', f'refused pickle: {reason(error)}'
        ) from error
    if not isinstance(value, np.ndarray):
        raise FormatError(path, '', f'expected an array, got {shown(value)}')
    return value


class _Converter:
    """Turns stand-ins into arrays, each object once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[int, Any] = {}

    def convert(self, value: Any, depth: int = 0) -> Any:
        if depth > _MAX_DEPTH:
            raise FormatError(self.path, '', 'nested too deeply')
        if isinstance(value, str | bytes | int | float | bool | None):
            return value
        if id(value) not in self.known:
            self.known[id(value)] = self._convert(value, depth + 1)
        return self.known[id(value)]

    def _convert(self, value: Any, depth: int) -> Any:
        if type(value) is dict:
            return {
                self.convert(k, depth): self.convert(v, depth)
                for k, v in value.items()
            }
        if type(value) in (list, tuple):
            return type(value)(self.convert(v, depth) for v in value)
        if type(value) is _Scalar:
            dtype, data = value.arguments
            return _array(self.path, (), self._dtype(dtype), data, 'C')[()]
        if type(value) is _Array:
            return self._array(value, depth)
        raise FormatError(self.path, '', f'unexpected {shown(value)}')

    def _array(self, value: _Array, depth: int) -> NDArray[Any]:
        _, shape, dtype, fortran, data = value.state
        if not isinstance(data, list):
            order = 'F' if fortran else 'C'
            return _array(self.path, shape, self._dtype(dtype), data, order)
        _check_shape(self.path, shape, len(data))
        result = np.empty(len(data), object)
        for index, item in enumerate(data):
            result[index] = self.convert(item, depth)
        return result.reshape(shape)  # a list is in C order always

    def _dtype(self, value: Any) -> np.dtype[Any]:
        name = value.arguments[0] if type(value) is _DType else None
        if not isinstance(name, str) or not _PLAIN.fullmatch(name):
            raise FormatError(
                self.path, '', f'arrays of {shown(name)} are not read'
            )
        order: Any = value.state[1] if value.state else '|'
        return np.dtype(name).newbyteorder(order)


def _array(
    path: Path, shape: Any, dtype: np.dtype[Any], data: Any, order: Any
) -> NDArray[Any]:
    """Make an array of bytes that must be exactly as many as it takes."""
    if isinstance(data, str):  # bytes, in the pickles of Python 2
        data = data.encode('latin1')
    if not isinstance(data, bytes) or not dtype.itemsize:
        raise FormatError(path, '', f'no data of an array: {shown(data)}')
    _check_shape(path, shape, len(data) / dtype.itemsize)
    values = np.frombuffer(data, dtype) if data else np.empty(0, dtype)
    return values.reshape(shape, order=order).astype(dtype.newbyteorder('='))


def _check_shape(path: Path, shape: Any, items: float) -> None:
    whole = isinstance(shape, tuple) and all(
        type(side) is int and side >= 0 for side in shape
    )
    if not whole or len(shape) > 8 or math.prod(shape) != items:
        raise FormatError(
            path, '', f'shape {shown(shape)} does not fit {items:g} items'
        )
