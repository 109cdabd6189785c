"""Old name of ``generate heatmaps``, for one release."""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from generate import old_name, run_tool

main = partial(old_name, 'generate_heatmaps', 'heatmaps')

if __name__ == '__main__':
    run_tool(main)
