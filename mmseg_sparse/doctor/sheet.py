"""The doctor's report as a picture."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..labels.label_map import distinct_palette
from ..visualization import draw_labels, fit_into
from ..visualization.draw import Palette, Picture
from ..visualization.figure import INK, new_figure, render, tidy_axes
from .decode import decode
from .examine import Examination
from .findings import percent
from .measure import FileStats
from .report import summary, verdict

#: Images that the sheet shows.
EXAMPLES = 4

_DPI = 100
_WIDTH = 13.0  # inches, as all lengths here
_MARGIN = 0.3
_ROW = 0.24
_LINE = 0.19
_RED = '#b00020'
_SEVERITY = {'error': _RED, 'warning': '#a05a00', 'note': '#3a5f8a'}


class _Page:
    """A figure whose parts are stacked from the top, in inches."""

    def __init__(self, height: float) -> None:
        self.height = height
        self.figure = new_figure(_WIDTH, height, dpi=_DPI, layout=None)
        self.top = _MARGIN

    def axes(self, left: float, width: float, height: float) -> Any:
        """Return axes whose upper edge is at the current height."""
        bottom = self.height - self.top - height
        return self.figure.add_axes((
            left / _WIDTH, bottom / self.height,
            width / _WIDTH, height / self.height,
        ))  # fmt: skip

    def line(
        self, text: str, size: float = 9, color: str = INK, **style: Any
    ) -> None:
        """Write one line and go below it."""
        self.figure.text(
            _MARGIN / _WIDTH, 1 - self.top / self.height, text,
            fontsize=size, color=color, va='top', parse_math=False, **style,
        )  # fmt: skip
        self.top += size / 9 * _LINE

    def picture(self) -> Picture:
        """Return the page, RGB."""
        page = render(self.figure)
        inked = np.flatnonzero((page < 255).any((1, 2)))
        return page[: inked[-1] + round(_MARGIN * _DPI)].copy()


def report_sheet(found: Examination, report: dict[str, Any]) -> Picture:
    """Draw a report, with some of the images.

    Args:
        found: What was examined.
        report: As :func:`~.report.report_dict` makes it.
    """
    palette = found.data.palette or distinct_palette(
        max(1, len(report['classes']))
    )
    return draw_report(
        report,
        palette=palette,
        shares=[f.labeled / f.pixels for f in found.usable],
        examples=_examples(found, palette),
    )


def draw_report(
    report: dict[str, Any],
    *,
    palette: Palette,
    shares: Sequence[float] = (),
    examples: Sequence[tuple[str, Picture]] = (),
) -> Picture:
    """Draw a report, RGB, 1300 pixels wide.

    Args:
        report: As :func:`~.report.report_dict` makes it.
        palette: Colours of the classes.
        shares: Labelled share of each image.
        examples: ``(caption, picture)``.
    """
    findings = [
        (f['severity'], line)
        for f in report['findings']
        for line in _wrap(f'{f["severity"]}: {_text(f)}')
    ]
    lines = [*summary(report), verdict(report)]
    thumbnails = _thumbnails([picture for _, picture in examples])
    classes = _ROW * max(2, len(report['classes'])) + 1.0
    plots = 3.1 if shares or report['position'] else 0.0
    below = 0.5 + max((p.shape[0] for p in thumbnails), default=0) / _DPI
    page = _Page(
        2 * _MARGIN + 0.5 + _LINE * (len(lines) + len(findings) + 4)
        + classes + plots + (below if thumbnails else 0)
    )  # fmt: skip
    title = f'{report["title"]} ({report["split"]})'
    page.line(_short(title, 95), 14, weight='bold')
    page.top += 0.08
    for text in lines:
        page.line(_short(text, 170))
    page.top += 0.1
    page.line('Findings' if findings else 'No findings', 11, weight='bold')
    page.top += 0.05
    for severity, text in findings:
        page.line(text, color=_SEVERITY[severity])
    page.top += 0.5
    _draw_classes(page, report, palette)
    page.top += classes - 0.4
    if plots:
        _draw_distributions(page, shares, report['position'])
        page.top += plots - 0.2
    if thumbnails:
        _draw_examples(page, [c for c, _ in examples], thumbnails)
    return page.picture()


def _text(finding: dict[str, Any]) -> str:
    text = finding['message']
    if finding['files']:
        text += f': {finding["files"][0]["file"]}'
        more = finding['count'] - 1
        text += f' and {more} more' if more else ''
    return text


def _wrap(text: str) -> list[str]:
    lines = textwrap.wrap(text, 175, subsequent_indent='        ')
    return lines[:4] if len(lines) < 5 else [*lines[:3], '        ...']


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + '...'


def _draw_classes(
    page: _Page, report: dict[str, Any], palette: Palette
) -> None:
    """Draw the bars of the classes, side by side."""
    rows = report['classes']
    panels: list[tuple[str, list[float | None], list[str]]] = [
        ('share of the labelled pixels, %',
         [100 * row['share'] for row in rows],
         [_percent(row['share']) for row in rows]),
        (f'images with the class, of {report["images"]}',
         [row['images'] for row in rows],
         [str(row['images']) for row in rows]),
    ]  # fmt: skip
    if report['dense']:
        wrong = [row['wrong_share'] for row in rows]
        panels.append((
            'labels that the dense masks contradict, %',
            [None if w is None else 100 * w for w in wrong],
            ['-' if w is None else _percent(w) for w in wrong],
        ))  # fmt: skip
    left = 2.4
    columns = len(panels)
    width = (_WIDTH - left - _MARGIN - 0.9 * (columns - 1) - 0.5) / columns
    colours = _colours(palette, len(rows))
    for column, (title, values, texts) in enumerate(panels):
        axes = page.axes(
            left + column * (width + 0.9), width, _ROW * max(2, len(rows))
        )
        _frame(axes, title)
        axes.xaxis.get_major_locator().set_params(integer=column == 1)
        _draw_bars(axes, values, texts, _RED if column == 2 else colours)
        if column > 0:
            axes.set_yticks(range(len(rows)), [''] * len(rows))
            continue
        axes.set_yticks(
            range(len(rows)),
            [f'{_short(row["name"], 24)}  {row["index"]}' for row in rows],
        )
        axes.scatter(
            [-0.022] * len(rows), range(len(rows)), marker='s', s=70,
            c=colours, edgecolors='#00000060', linewidths=0.6,
            transform=axes.get_yaxis_transform(), clip_on=False,
        )  # fmt: skip


def _draw_bars(
    axes: Any,
    values: Sequence[float | None],
    texts: Sequence[str],
    colours: str | Sequence[tuple[float, ...]],
) -> None:
    """Draw a bar and a text for each class; red: a class that is missing."""
    number = len(values)
    axes.barh(
        range(number), [v or 0 for v in values], height=0.72, color=colours,
        edgecolor='#00000040', linewidth=0.6,
    )  # fmt: skip
    axes.set_ylim(number - 0.4, -0.6)
    top = max((v or 0 for v in values), default=0)
    axes.set_xlim(0, 1.18 * top if top else 1)
    axes.tick_params(axis='y', length=0, labelsize=9, pad=14)
    for row, (value, text) in enumerate(zip(values, texts, strict=True)):
        missing = colours is not _RED and not value
        axes.text(
            (value or 0) + 0.012 * axes.get_xlim()[1], row,
            'none' if missing else text, va='center', fontsize=8,
            color=_RED if missing else INK,
        )  # fmt: skip


def _colours(palette: Palette, number: int) -> list[tuple[float, ...]]:
    return [
        tuple(c / 255 for c in palette[index])
        if index < len(palette)
        else (0.6, 0.6, 0.6)
        for index in range(number)
    ]


def _percent(share: float) -> str:
    number = 100 * share
    if number == 0:
        return '0'
    return f'{number:.1f}' if number >= 9.95 else f'{number:.2g}'


def _frame(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=10, loc='left', color=INK)
    tidy_axes(axes, grid='x')


def _draw_distributions(
    page: _Page, shares: Sequence[float], position: dict[str, Any] | None
) -> None:
    half = (_WIDTH - 2 * _MARGIN - 1.6) / 2
    page.top += 0.3
    if shares:
        _draw_shares(page.axes(_MARGIN + 0.6, half, 2.0), shares)
    if position is not None:
        _draw_position(page.axes(_MARGIN + half + 1.6, half, 2.0), position)
    page.top -= 0.3


def _draw_shares(axes: Any, shares: Sequence[float]) -> None:
    """Draw how much of the images is labelled."""
    percent = 100 * np.asarray(shares)
    empty = int((percent == 0).sum())
    top = percent.max()
    axes.hist(
        percent[percent > 0], bins=40, range=(0, top or 1),
        color='#5b7f9e', edgecolor='white', linewidth=0.5,
    )  # fmt: skip
    _frame(axes, 'labelled share of an image, %')
    axes.set_ylabel('images', fontsize=8, color=INK)
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.set_xlim(0, top or 1)
    axes.set_ylim(0, 1.25 * max(1, axes.dataLim.ymax))
    text = f'median {np.median(percent):.3g} %'
    if empty:
        text += f', {empty} images without any label'
    axes.text(0.98, 0.96, text, transform=axes.transAxes, ha='right',
              va='top', fontsize=8.5, color=INK)  # fmt: skip


def _draw_position(axes: Any, position: dict[str, Any]) -> None:
    """Draw where in their regions labels lie (BLPSeg, figure 1)."""
    edges = position['bin_edges']
    for key, name, colour, fill in (
        ('all', 'all pixels', '#8a8a8a', True),
        ('labeled', 'labelled pixels', '#c8102e', False),
    ):
        counts, mean = position[key], position[f'mean_{key}']
        share = 100 * np.asarray(counts) / max(1, sum(counts))
        axes.stairs(
            share, edges, fill=fill, color=colour, linewidth=1.8,
            alpha=0.45 if fill else 1.0, label=f'{name}, mean {mean:.2f}',
        )  # fmt: skip
        axes.axvline(mean, color=colour, linewidth=1, linestyle=':')
    _frame(axes, 'where in its region: relative distance to the boundary')
    axes.set_ylabel('pixels, %', fontsize=8, color=INK)
    axes.set_xlabel(
        '0 = boundary, 1 = farthest from it, by class and image',
        fontsize=8, color=INK, labelpad=2,
    )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.25 * axes.dataLim.ymax)
    axes.legend(fontsize=8.5, frameon=False, loc='upper right')


def _thumbnails(pictures: Sequence[Picture]) -> list[Picture]:
    """Return the pictures at the width of their columns."""
    if not pictures:
        return []
    gap = 12
    columns = max(3, len(pictures))
    width = (int(_DPI * (_WIDTH - 2 * _MARGIN)) - gap * (columns - 1)) // (
        columns
    )
    return [fit_into(picture, (320, width)) for picture in pictures]


def _draw_examples(
    page: _Page, captions: Sequence[str], pictures: Sequence[Picture]
) -> None:
    columns = max(3, len(pictures))
    pitch = (_WIDTH - 2 * _MARGIN + 0.12) / columns
    for column, (caption, picture) in enumerate(
        zip(captions, pictures, strict=True)
    ):
        left = _MARGIN + column * pitch
        page.figure.text(
            left / _WIDTH, 1 - page.top / page.height,
            _short(caption, int(pitch * 15)), fontsize=8.5, va='top',
            color=INK, parse_math=False,
        )  # fmt: skip
        # Whole pixels, so that nothing is resampled.
        page.figure.figimage(
            picture, round(left * _DPI),
            round((page.height - page.top - 0.2) * _DPI) - picture.shape[0],
        )  # fmt: skip


def _examples(
    found: Examination, palette: Palette
) -> list[tuple[str, Picture]]:
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


def _picture(one: FileStats, palette: Palette) -> Picture | None:
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
    labels = one.item.reading.classes_of(values)
    return draw_labels(np.ascontiguousarray(image[..., ::-1]), labels, palette)
