"""What stands between OpenMMLab's last releases and today's libraries.

:func:`setup` runs once, when ``mmseg_sparse`` is imported and before
anything of mmseg is: it checks versions, supplies ``mmcv.ops`` under
mmcv-lite, lets ``torch.load(weights_only=True)`` read MMEngine's
checkpoints, and makes ``_base_ = 'mmseg_sparse::...'`` resolve.
"""

import contextlib
import importlib
import importlib.machinery
import importlib.util
import io
import sys
import types
import warnings
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.version import Version

#: import name -> (oldest version that works; distribution -> newest version
#: tested, the distribution to install first). ``onedl-*`` is the fork that
#: goes on maintaining OpenMMLab's packages under the same import names.
REQUIREMENTS = {
    'torch': ('2.6', {'torch': '2.13.0'}),
    'mmengine': ('0.9.0', {'mmengine': '0.10.7', 'onedl-mmengine': '0.10.12'}),
    'mmcv': (
        '2.0.0',
        {'mmcv-lite': '2.1.0', 'mmcv': '2.1.0', 'onedl-mmcv': '2.3.6'},
    ),
    'mmseg': (
        '1.2.0',
        {'mmsegmentation': '1.2.2', 'onedl-mmsegmentation': '1.4.2'},
    ),
    'numpy': ('1.23', {'numpy': '2.4'}),
}
#: mmseg 1.x imports these without declaring them, MMEngine needs the last
#: (its fork does not).
UNDECLARED = {
    'ftfy': 'ftfy',
    'regex': 'regex',
    'pkg_resources': "'setuptools<81'",
}
#: mmseg 1.2 refuses mmcv from here on by an assertion, not for a reason.
MMCV_REFUSED = '2.2.0'
#: Methods of MMEngine's ``HistoryBuffer`` that its checkpoints name.
HISTORY_STATISTICS = ('min', 'max', 'current', 'mean')


def setup() -> None:
    """Make the installed libraries work together; safe to call again.

    Raises:
        ImportError: If a library is missing or too old; one sentence that
            says what to install.
    """
    check_versions()
    supply_mmcv_ops()
    _import_mmseg()
    allow_checkpoint_types()
    register_config_scope()


def _release(text: str) -> Version:
    """Return a version without build and pre-release, 2.13.0 of 2.13.0+cpu."""
    return Version(Version(text).base_version)


def installed(module: str) -> tuple[str, str] | None:
    """Return the distribution of a required module, and its version.

    None: it is missing, or built from source without metadata.
    """
    for name in REQUIREMENTS[module][1]:
        try:
            return name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def check_versions() -> None:
    """Refuse missing or too old libraries, warn of newer than tested ones.

    Raises:
        ImportError: Names the library, the version found and what to run.
    """
    for module, (oldest, newest) in REQUIREMENTS.items():
        found = installed(module)
        if found is None:
            if importlib.util.find_spec(module) is not None:
                continue  # built from source without metadata
            raise ImportError(
                f'mmseg_sparse needs {" or ".join(newest)}, which is not '
                f'installed: {_pip_install(next(iter(newest)), oldest)}'
            )
        name, version = found
        if _release(version) < Version(oldest):
            raise ImportError(
                f'mmseg_sparse needs {name} >= {oldest}, found {version}: '
                f'{_pip_install(name, oldest)}'
            )
        tested = Version(newest[name]).release
        if _release(version).release[: len(tested)] > tested:
            warnings.warn(
                f'mmseg_sparse was tested with {name} up to {newest[name]}, '
                f'found {version}',
                stacklevel=3,
            )
    for module, name in UNDECLARED.items():
        if module == 'pkg_resources' and _is_fork('mmengine'):
            continue
        if importlib.util.find_spec(module) is None:
            raise ImportError(
                f'mmseg needs {module}, which is not installed: '
                f'pip install {name}'
            )


def _pip_install(name: str, oldest: str) -> str:
    """Return a command that installs a version that works."""
    refused = f',<{MMCV_REFUSED}' if name in ('mmcv-lite', 'mmcv') else ''
    return f"pip install '{name}>={oldest}{refused}'"


def _is_fork(module: str) -> bool:
    """Tell whether the maintained fork of a module is installed."""
    found = installed(module)
    return found is not None and found[0].startswith('onedl-')


def _import_mmseg() -> None:
    """Import mmseg, also with an mmcv newer than its assertion allows."""
    if 'mmseg' in sys.modules:
        return
    import mmcv

    version = mmcv.__version__
    try:
        if _release(version) >= Version(MMCV_REFUSED):
            mmcv.__version__ = REQUIREMENTS['mmcv'][1]['mmcv']
        importlib.import_module('mmseg')
    finally:
        mmcv.__version__ = version
    if _is_fork('mmseg'):
        # Prints twice that an optional package of its makers is missing.
        with contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module('mmseg.datasets')


def supply_mmcv_ops() -> None:
    """Supply ``mmcv.ops`` where the compiled operators are missing.

    mmcv-lite ships the Python side of ``mmcv.ops``, whose import fails for
    want of ``mmcv._ext``. ``point_sample`` and ``sigmoid_focal_loss`` work
    here in plain torch; every other operator can be imported, as mmseg does,
    and fails on use. A full mmcv is left alone.
    """
    if 'mmcv.ops' in sys.modules:
        return
    import mmcv

    if importlib.util.find_spec('mmcv._ext') is not None:
        return
    from mmseg_sparse.functional import mmcv_ops

    module = _OpsModule('mmcv.ops', 'mmcv.ops in plain torch, for mmcv-lite.')
    module.__path__ = []
    module.__spec__ = importlib.machinery.ModuleSpec('mmcv.ops', None)
    module.point_sample = mmcv_ops.point_sample
    module.sigmoid_focal_loss = mmcv_ops.sigmoid_focal_loss
    sys.modules['mmcv.ops'] = module
    mmcv.ops = module
    # MMCV recommends its full edition on import, which nothing here needs.
    warnings.filterwarnings(
        'ignore', 'Fail to import ``MultiScaleDeformableAttention``'
    )


class _OpsModule(types.ModuleType):
    """Stands for ``mmcv.ops``; unknown names raise when they are used."""

    point_sample: Callable[..., Any]
    sigmoid_focal_loss: Callable[..., Any]

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        operator = _missing_operator(name)
        setattr(self, name, operator)
        return operator


def _missing_operator(name: str) -> type:
    def fail(self: Any, *args: Any, **kwargs: Any) -> None:
        raise ImportError(
            f'mmcv.ops.{name} is a compiled operator, which mmcv-lite does '
            'not have: install the full mmcv (pip uninstall mmcv-lite; pip '
            'install mmcv)'
        )

    return type(name, (), {'__init__': fail, '__module__': 'mmcv.ops'})


def history_statistic(owner: type, name: str) -> Callable[..., Any]:
    """Stand in for ``getattr`` while a checkpoint is read.

    A ``HistoryBuffer`` pickles its statistics as
    ``getattr(HistoryBuffer, 'min')`` and so on, and
    ``torch.load(weights_only=True)`` refuses ``getattr``, with good reason.

    Raises:
        TypeError: If a checkpoint asks for anything but a statistic of
            ``HistoryBuffer``.
    """
    from mmengine.logging.history_buffer import HistoryBuffer

    if owner is not HistoryBuffer or name not in HISTORY_STATISTICS:
        raise TypeError(
            'a checkpoint may look up HistoryBuffer.'
            f'{{{",".join(HISTORY_STATISTICS)}}} only, this one asks for '
            f'{name!r} of {owner!r}'
        )
    return getattr(HistoryBuffer, name)


def allow_checkpoint_types() -> None:
    """Let ``torch.load(weights_only=True)`` read MMEngine's checkpoints.

    They hold, beside tensors, MMEngine's ``HistoryBuffer`` of the message
    hub and numpy scalars and arrays; nothing else is allowed.
    """
    import numpy as np
    import torch
    from mmengine.logging.history_buffer import HistoryBuffer

    core = np._core if hasattr(np, '_core') else np.core
    dtypes = {type(np.dtype(code)) for code in 'bBhHiIlLqQefdg?SU'}
    allowed: list[Any] = [
        HistoryBuffer, np.ndarray, np.dtype, *dtypes,
        (history_statistic, 'builtins.getattr'),
    ]  # fmt: skip
    for function in (
        core.multiarray._reconstruct,
        core.multiarray.scalar,
    ):
        name = function.__name__
        allowed += [
            (function, f'numpy.core.multiarray.{name}'),
            (function, f'numpy._core.multiarray.{name}'),
        ]
    torch.serialization.add_safe_globals(allowed)


def register_config_scope() -> None:
    """Let MMEngine resolve ``_base_ = 'mmseg_sparse::...'``.

    And ``mmseg::...`` where mmseg is the fork's, whose MMEngine still looks
    for the distribution ``mmsegmentation``.
    """
    from mmengine.config import config as loader
    from mmengine.config.utils import MODULE2PACKAGE

    MODULE2PACKAGE.setdefault('mmseg_sparse', 'mmseg_sparse')
    if _is_fork('mmseg'):
        MODULE2PACKAGE['mmseg'] = 'onedl-mmsegmentation'
    loader._get_external_cfg_base_path = _external_config


def _external_config(package_path: str, cfg_name: str) -> str:
    """Do as MMEngine's function, and find an ablation by its old path."""
    from mmengine.config.utils import _get_external_cfg_base_path

    root = Path(package_path, '.mim', 'configs')
    if Path(package_path).name == 'mmseg_sparse':
        found = find_config(root, cfg_name)
        if found is not None:
            return str(found)
    path: str = _get_external_cfg_base_path(package_path, cfg_name)
    return path


def find_config(root: Path, name: str) -> Path | None:
    """Return the config ``METHOD/NAME.py`` below a folder, if it is there.

    For one release a config that is in ``METHOD/ablations`` now is also found
    by its old path, with a DeprecationWarning that names the new one.
    """
    if (root / name).is_file():
        return root / name
    method, last = Path(name).parts[0], Path(name).name
    for moved in (root / method / 'ablations').rglob(last):
        warnings.warn(
            f'{name!r} has moved to {moved.relative_to(root).as_posix()!r}',
            DeprecationWarning,
            stacklevel=3,
        )
        return moved
    return None
