"""A fresh virtual environment that borrows the heavy packages."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = (
    'setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE',
    'CHANGELOG.md', 'constraints.txt', 'model-index.yml', 'requirements',
    'mmseg_sparse', 'tools', 'configs',
)  # fmt: skip
JUNK = shutil.ignore_patterns('__pycache__', '*.pyc', '.mim', '*.egg-info')
MIM = ('tools', 'configs', 'model-index.yml')


def copy_repository(target: Path) -> Path:
    """Copy what is under version control and makes up the package."""
    target.mkdir(parents=True)
    for source in (REPOSITORY / name for name in SOURCES):
        if source.is_dir():
            shutil.copytree(source, target / source.name, ignore=JUNK)
        else:
            shutil.copy2(source, target / source.name)
    return target


def mim_content(root: Path) -> dict[str, bytes]:
    """Return the files of tools, configs and model index below ``root``."""
    files = [root / 'model-index.yml']
    for name in ('tools', 'configs'):
        files += [f for f in (root / name).rglob('*') if f.is_file()]
    return {
        f.relative_to(root).as_posix(): f.read_bytes()
        for f in files
        if '__pycache__' not in f.parts
    }


def run(
    command: list[object], *, cwd: Path, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a command with an environment that knows nothing of ours."""
    names = ('PATH', 'HOME', 'LANG', 'TMPDIR', 'LD_LIBRARY_PATH')
    env = {name: os.environ[name] for name in names if name in os.environ}
    env.update(
        OMP_NUM_THREADS='1',
        PYTHONNOUSERSITE='1',
        PIP_DISABLE_PIP_VERSION_CHECK='1',
        PIP_NO_INDEX='1',
        MPLBACKEND='agg',
    )
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=300,
    )
    if check and done.returncode != 0:
        raise AssertionError(f'{command} failed:\n{done.stdout[-6000:]}')
    return done


class Environment:
    """A new venv; packages it lacks are those of the running one.

    The borrowed folders come after its own, and the ``.pth`` files in them
    are not read, so an editable install of ours there stays out of sight.
    Theirs is the last ``.pth`` of its own, after that of ``develop``.
    """

    def __init__(self, root: Path) -> None:
        venv.create(root, with_pip=False, symlinks=True)
        self.python = root / 'bin' / 'python'
        self.site = Path(
            sysconfig.get_path(
                'purelib', vars={'base': str(root), 'platbase': str(root)}
            )
        )
        borrowed = [
            path
            for path in sys.path
            if Path(path).name in ('site-packages', 'dist-packages')
        ]
        (self.site / 'zz_borrowed.pth').write_text('\n'.join(borrowed) + '\n')

    def run(self, *arguments: object, cwd: Path, check: bool = True) -> str:
        """Run its Python and return what it printed."""
        return run([self.python, *arguments], cwd=cwd, check=check).stdout

    def install(self, *arguments: object, cwd: Path) -> str:
        """Install without network and without the dependencies."""
        return self.run(
            '-m', 'pip', 'install', '--no-deps', '--no-build-isolation',
            '--ignore-installed', *arguments, cwd=cwd,
        )  # fmt: skip

    def origin(self, cwd: Path) -> Path:
        """Return where it imports mmseg_sparse from."""
        code = "import importlib.util as u; print(u.find_spec('mmseg_sparse')"
        return Path(self.run('-c', f'{code}.origin)', cwd=cwd).strip()).parent


def write_camvid(root: Path) -> Path:
    """Write three small noise images in the layout of CamVid."""
    rng = np.random.default_rng(0)
    for split, count in (('train', 2), ('val', 1)):
        for kind in ('images', 'masks', 'scribbles'):
            (root / kind / split).mkdir(parents=True)
        for index in range(count):
            image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
            mask = rng.integers(0, 11, (60, 80), dtype=np.uint8)
            sparse = np.where(rng.random(mask.shape) < 0.1, mask, 255)
            for kind, array, suffix in (
                ('images', image, 'jpg'),
                ('masks', mask, 'png'),
                ('scribbles', sparse.astype(np.uint8), 'png'),
            ):
                Image.fromarray(array).save(
                    root / kind / split / f'{index}.{suffix}'
                )
    return root


def small_run(data: Path) -> list[str]:
    """Return ``--cfg-options`` for two iterations on ``write_camvid``."""
    options = [
        'train_cfg.max_iters=2',
        'train_cfg.val_interval=2',
        'default_hooks.checkpoint.interval=2',
        'default_hooks.logger.interval=1',
        'model.backbone.init_cfg=None',
        'model.data_preprocessor.size=(64,64)',
        'train_dataloader.batch_size=2',
        'train_dataloader.dataset.pipeline.2.scale=(80,60)',
        'train_dataloader.dataset.pipeline.3.crop_size=(64,64)',
    ]
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        options += [
            f'{loader}.num_workers=0',
            f'{loader}.persistent_workers=False',
            f'{loader}.dataset.data_root={data}',
        ]
    return ['--cfg-options', *options]


#: What a downstream config sets instead of `small_run`.
DOWNSTREAM = """\
_base_ = {base}
train_cfg = dict(max_iters=2, val_interval=2)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=2))
# Stock tools leave SyncBN in place, which a CPU cannot run.
model = dict(
    data_preprocessor=dict(size=(64, 64)),
    backbone=dict(init_cfg=None),
    decode_head=dict(norm_cfg=dict(type='BN')),
)
loader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(data_root={data!r})
)
train_dataloader = dict(batch_size=2, **loader)
val_dataloader = loader
test_dataloader = loader
"""
