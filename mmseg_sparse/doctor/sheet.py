"""From an examination to the sheet that shows it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mmseg_sparse.visualization.draw import overlay
from mmseg_sparse.visualization.label_report import LabelSheet
from mmseg_sparse.visualization.strokes import draw_outlined_strokes

from ..labels.label_map import NO_LABEL, distinct_palette
from .decode import decode
from .examine import Examination
from .findings import percent
from .measure import FileStats
from .report import verdict

#: Images that the sheet shows.
EXAMPLES = 4
#: From this labelled share on, labels are drawn as areas.
DENSE = 0.5


def report_sheet(found: Examination, report: dict[str, Any]) -> LabelSheet:
    """Return the sheet of a report.

    Args:
        found: What was examined.
        report: As :func:`~.report.report_dict` makes it.
    """
    rows = report['classes']
    palette = found.data.palette or distinct_palette(max(1, len(rows)))
    summary = [
        f'{report["split"]}: {report["images"]} images, '
        f'{report["label_files"]} readable label files, '
        f'{percent(report["labeled_share"])} of their pixels labelled',
    ]
    if report['dense']:
        dense = report['dense']
        summary.append(
            f'{dense["wrong"]} of {dense["compared"]} labelled pixels have '
            f'another class in the dense masks in {dense["folder"]}'
        )
    summary.append(verdict(report))
    position = report['position']
    return LabelSheet(
        title=report['title'],
        summary=summary,
        classes=[row['name'] for row in rows],
        palette=palette,
        shares=[row['share'] for row in rows],
        images=[row['images'] for row in rows],
        total_images=report['images'],
        wrong=[row['wrong_share'] for row in rows]
        if report['dense'] else None,
        per_image=[f.labeled / f.pixels for f in found.usable],
        position=None if position is None else (
            position['labeled'], position['all'],
            (position['mean_labeled'], position['mean_all']),
        ),
        findings=[
            (f['severity'], _line(f)) for f in report['findings']
        ],
        examples=_examples(found, palette),
    )  # fmt: skip


def _line(finding: dict[str, Any]) -> str:
    text = finding['message']
    if finding['files']:
        text += f': {finding["files"][0]["file"]}'
        more = finding['count'] - 1
        text += f' and {more} more' if more else ''
    return text


def _examples(
    found: Examination, palette: Sequence[Sequence[int]]
) -> list[tuple[str, NDArray[np.uint8]]]:
    """Return pictures of some images: the most wrong one, and others."""
    good = [
        f for f in found.usable
        if f.labeled and f.item.image is not None
    ]  # fmt: skip
    by_name = {f.item.name: f for f in good}
    chosen = [
        (by_name[name], f'{percent(share)} of its labels wrong')
        for share, _, name in sorted(found.agreement.wrong, reverse=True)[:1]
        if name in by_name
    ]
    spread = np.linspace(0, len(good) - 1, min(EXAMPLES, len(good)))
    chosen += [
        (good[i], f'{percent(good[i].labeled / good[i].pixels)} labelled')
        for i in dict.fromkeys(spread.round().astype(int).tolist())
        if all(good[i] is not one for one, _ in chosen)
    ]
    examples = []
    for one, text in chosen[:EXAMPLES]:
        picture = _picture(one, palette)
        if picture is not None:
            name = Path(one.item.name).name
            examples.append((f'{name}: {text}', picture))
    return examples


def _picture(
    one: FileStats, palette: Sequence[Sequence[int]]
) -> NDArray[np.uint8] | None:
    """Return an image under its labels, None if it cannot be drawn."""
    assert one.item.image is not None
    assert one.item.labels is not None
    try:
        image = cv2.imread(one.item.image)
        content = Path(one.item.labels).read_bytes()
    except (OSError, cv2.error):
        return None
    values = decode(content, one.item.labels, one.item.reading).values
    if image is None or values is None or image.shape[:2] != values.shape:
        return None
    labels = np.array(one.item.reading.table, np.uint8)[values]
    labels[labels >= len(palette)] = NO_LABEL
    image = np.ascontiguousarray(image[..., ::-1])
    if one.labeled > DENSE * one.pixels:
        return overlay(image, labels, palette)
    # Clicks are single pixels: they need more to be seen.
    thin = one.labeled < 0.002 * one.pixels
    widen = max(1, round(image.shape[1] / (100 if thin else 250)))
    return draw_outlined_strokes(image, labels, palette, widen=widen)
