"""Draw the pictures of docs/gallery.md again, by the commands on the page.

  make gallery
  python docs/site/gallery.py suggest.png predict.png

A block of commands that begins with a line "# NAME: FILE" draws one picture:
FILE is what the commands write, and NAME the picture in docs/images/gallery.
The page's first shell block has the variables. Commands run in the root of
the repository. If they fail, because a training is missing for instance, the
picture stays as it is.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / 'docs' / 'gallery.md'
PICTURES = ROOT / 'docs' / 'images' / 'gallery'
BLOCK = re.compile(r'```shell\n(.*?)```', re.DOTALL)
DRAWS = re.compile(r'# (\S+\.png): (\S+)\n')
#: So many colours are enough for drawings, and keep the files small.
COLOURS = 128


def blocks(page: str) -> tuple[str, dict[str, tuple[str, str]]]:
    """Return the variables, and file and commands by name of the picture."""
    first, *others = BLOCK.findall(page)
    found = {}
    for block in others:
        drawn = DRAWS.match(block)
        if drawn:
            found[drawn[1]] = (drawn[2], block)
    return first, found


def draw(variables: str, written: str, commands: str, target: Path) -> str:
    """Run commands and keep their picture; return what went wrong."""
    # Python and the package of this environment.
    path = os.pathsep.join([str(Path(sys.executable).parent),
                            os.environ.get('PATH', '')])  # fmt: skip
    script = f'set -e\n{variables}{commands}\nrealpath {written}\n'
    done = subprocess.run(
        ['bash', '-c', script], cwd=ROOT, text=True, capture_output=True,
        env={**os.environ, 'PATH': path}, check=False,
    )  # fmt: skip
    if done.returncode:
        return (done.stderr or done.stdout).strip().rpartition('\n')[2]
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(done.stdout.splitlines()[-1]) as picture:
        small = picture.convert('RGB').quantize(COLOURS, dither=0)
    small.save(target, optimize=True)
    return ''


def main(argv: Sequence[str] | None = None) -> int:
    """Draw all pictures, or those named."""
    wanted = sys.argv[1:] if argv is None else argv
    variables, found = blocks(PAGE.read_text('utf-8'))
    unknown = sorted(set(wanted) - set(found))
    if unknown:
        names = ', '.join(found)
        print(f'no picture {unknown[0]!r}: expected some of {names}',
              file=sys.stderr)  # fmt: skip
        return 2
    failed = 0
    for name in wanted or found:
        error = draw(variables, *found[name], PICTURES / name)
        print(f'{name}: {f"kept ({error})" if error else "drawn"}', flush=True)
        failed += bool(error)
    return int(failed > 0)


if __name__ == '__main__':
    sys.exit(main())
