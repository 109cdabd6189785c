"""Installs mmseg_sparse and fills ``mmseg_sparse/.mim``.

``mim`` and MMEngine look for a package's tools, configs and model index in
the folder ``.mim`` of the package as installed. A wheel holds copies there,
an editable install links to the live ones.

Both find an installed package as ``location of its metadata / name``, with
the first line of ``top_level.txt`` for the name where there is no such
folder. A PEP 660 install keeps its metadata in site-packages, where the
package is not; so its ``top_level.txt`` names the absolute path, which joined
to any location stays what it is.
"""

import os
import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py
from setuptools.command.develop import develop

try:
    from setuptools.command.editable_wheel import editable_wheel
except ImportError:  # setuptools < 64, whose editable installs are develop's
    editable_wheel = None

NAME = 'mmseg_sparse'
ROOT = Path(__file__).resolve().parent
PACKAGE = ROOT / NAME
MIM = ('tools', 'configs', 'model-index.yml')
JUNK = shutil.ignore_patterns('__pycache__', '*.py[cod]', '.*')


def read_version() -> str:
    """Return the version without importing the package."""
    scope: dict[str, str] = {}
    exec((PACKAGE / 'version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


def read_requirements(name: str) -> list[str]:
    """Return the lines of requirements/NAME.txt without comments."""
    path = ROOT / 'requirements' / f'{name}.txt'
    text = path.read_text(encoding='utf-8')
    lines = (line.partition('#')[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def remove(path: Path) -> None:
    """Remove a link, a file or a folder; never what a link points at."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def fill(mim: Path, *, link: bool) -> None:
    """Make ``mim`` hold the tools, the configs and the model index."""
    remove(mim)
    mim.mkdir(parents=True)
    for source in (ROOT / name for name in MIM):
        if not source.exists():
            continue
        target = mim / source.name
        if link:
            try:
                target.symlink_to(
                    os.path.relpath(source, mim), source.is_dir()
                )
                continue
            except OSError:
                print(f'cannot link, copying: {target}', file=sys.stderr)
        if source.is_dir():
            shutil.copytree(source, target, ignore=JUNK)
        else:
            shutil.copy2(source, target)


class BuildPy(build_py):
    """Copies the modules, and the tools and configs into ``.mim``."""

    def run(self) -> None:
        """Build from nothing, so that a removed file stays removed."""
        if getattr(self, 'editable_mode', False):
            super().run()
            return
        built = Path(self.build_lib, NAME)
        remove(built)
        super().run()
        fill(built / '.mim', link=False)

    def get_outputs(self, include_bytecode: int = 1) -> list[str]:
        """Return the files built, those in ``.mim`` among them."""
        outputs = super().get_outputs(include_bytecode)
        if getattr(self, 'editable_mode', False):
            return outputs
        mim = Path(self.build_lib, NAME, '.mim')
        return outputs + [str(f) for f in mim.rglob('*') if f.is_file()]


class Develop(develop):
    """``setup.py develop``: the metadata lie beside the package."""

    def run(self) -> None:
        """Link ``.mim``, then install."""
        fill(PACKAGE / '.mim', link=True)
        super().run()


commands = {'build_py': BuildPy, 'develop': Develop}

if editable_wheel is not None:

    class EditableWheel(editable_wheel):
        """PEP 660: the metadata lie in site-packages, alone."""

        def run(self) -> None:
            """Link ``.mim``, name the package's path, build the wheel."""
            fill(PACKAGE / '.mim', link=True)
            if self.dist_info_dir is None:
                self.dist_info_dir = self.make_dist_info()
            names = Path(self.dist_info_dir, 'top_level.txt')
            names.write_text(f'{PACKAGE}\n{NAME}\n', encoding='utf-8')
            super().run()

        def make_dist_info(self) -> str:
            """Return a new ``.dist-info``, where pip has not made one."""
            self.dist_dir.mkdir(parents=True, exist_ok=True)
            command = self.reinitialize_command('dist_info')
            command.output_dir = self.dist_dir
            command.ensure_finalized()
            command.run()
            return command.dist_info_dir

    commands['editable_wheel'] = EditableWheel


setup(
    name=NAME,
    version=read_version(),
    description='Semantic segmentation from sparse labels, on any stock '
    'MMSegmentation config',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='semantic segmentation, weak supervision, scribbles, points',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
    python_requires='>=3.10',
    install_requires=read_requirements('runtime'),
    extras_require={
        'mim': read_requirements('mim'),
        'medical': ['h5py>=3', 'nibabel>=5'],
        'timm': ['timm>=1.0.9'],
        'onnx': ['onnx>=1.16', 'onnxruntime>=1.18', 'onnxscript>=0.3'],
    },
    packages=find_packages(include=[NAME, f'{NAME}.*']),
    include_package_data=False,
    entry_points={
        'console_scripts': ['mmseg-sparse = mmseg_sparse.__main__:main'],
    },
    zip_safe=False,
    cmdclass=commands,
)
