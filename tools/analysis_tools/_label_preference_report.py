"""Plots, tables and pictures of label_preference.py."""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from mmseg_sparse.doctor import LabelSet
from mmseg_sparse.evaluation import (
    PreferenceAnalysis,
    PreferenceMaps,
    WeightedDistribution,
)
from mmseg_sparse.labels.label_map import distinct_palette
from mmseg_sparse.visualization import picture_sheet
from mmseg_sparse.visualization.label_preference import (
    Curve,
    fit_into,
    heat_map,
    plot_distributions,
    plot_precision,
)
from mmseg_sparse.visualization.strokes import draw_outlined_strokes

#: Colours of the curves of one model after the other.
COLORS = ('#1f5fae', '#d07a00', '#6a3d9a', '#008b8b', '#8b5a2b')
#: Up to here, the paper finds, a model without balance is worse.
NEAR = 0.2

Row = tuple[str, Curve, WeightedDistribution]


def render(
    found: PreferenceAnalysis, data: LabelSet, title: str,
    compared: dict[str, Any], width: int,
) -> dict[str, bytes]:  # fmt: skip
    """Print the summary; return the files to write, by name.

    Args:
        found: What was counted.
        data: The data set, for its classes.
        title: For plots and sheet.
        compared: What the summary begins with.
        width: Of a picture on the sheet, in pixels.
    """
    rows = distributions(found)
    summary = summarise(found, rows)
    tell(summary)
    precision = [
        Curve(f'{m.name}, of all {100 * m.precision.overall():.1f} %',
              m.precision.values(), COLORS[i % len(COLORS)])
        for i, m in enumerate(found.models)
    ]  # fmt: skip
    contents = {
        'distribution.png': encode(
            plot_distributions([curve for _, curve, _ in rows], title)
        ),
        'distribution.csv': table({k: c.values for k, c, _ in rows}),
        'precision.png': encode(plot_precision(precision, title)),
        'precision.csv': table({
            'pixels': found.models[0].precision.pixels,
            **{m.name: m.precision.values() for m in found.models},
        }),
        'summary.json': (
            json.dumps(compared | summary, indent=1) + '\n'
        ).encode(),
    }  # fmt: skip
    if found.maps:
        palette = data.palette or distinct_palette(max(1, found.num_classes))
        contents['pictures.png'] = encode(
            draw_pictures(found, data.classes, palette, width, title)
        )
    return contents


def distributions(found: PreferenceAnalysis) -> list[Row]:
    """Return name for tables, curve and counts of each distribution."""
    wanted = [('mask_labels', 'mask labels', found.masks, '#c8c8c8', False)]
    if found.sparse:
        wanted.append(('scribble_labels', 'sparse labels', found.labels,
                       '#c8102e', False))  # fmt: skip
    for index, model in enumerate(found.models):
        color = COLORS[index % len(COLORS)]
        for kind, counted, dashed in (
            ('annotation', model.annotation, False),
            ('segmentation', model.segmentation, True),
        ):
            if counted.total:
                wanted.append((
                    f'{kind}_probability {model.name}',
                    f'{kind} probability, {model.name}', counted, color,
                    dashed,
                ))  # fmt: skip
    return [
        (key, Curve(f'{label}, mean {counted.mean():.2f}', counted.shares(),
                    color, filled=key == 'mask_labels', dashed=dashed),
         counted)
        for key, label, counted, color, dashed in wanted
    ]  # fmt: skip


def table(columns: dict[str, Any]) -> bytes:
    """Return a CSV of columns, one value a bin; NaN is left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(['above', 'up_to', *columns])
    bins = len(next(iter(columns.values())))
    for k, values in enumerate(zip(*columns.values(), strict=True)):
        row = [f'{k / bins:g}', f'{(k + 1) / bins:g}']
        for value in values:
            number = f'{value:.6f}' if isinstance(value, float) else str(value)
            row.append('' if np.isnan(value) else number)
        writer.writerow(row)
    return text.getvalue().encode()


def summarise(found: PreferenceAnalysis, rows: list[Row]) -> dict[str, Any]:
    """Return the numbers of the summary."""
    labels = found.labels.shares() if found.sparse else None
    precision = {}
    for model in found.models:
        counted = model.precision
        near = round(NEAR * len(counted.pixels))
        pixels = int(counted.pixels[:near].sum())
        right = int(counted.correct[:near].sum())
        precision[model.name] = dict(
            all=counted.overall(),
            up_to_0_2=right / pixels if pixels else None,
        )
    return dict(
        distributions={
            key: dict(
                mean=counted.mean(),
                difference_from_scribble_labels=None if labels is None
                else float(np.abs(counted.shares() - labels).sum() / 2),
            )
            for key, _, counted in rows
        },
        precision=precision,
    )  # fmt: skip


def tell(summary: dict[str, Any]) -> None:
    """Print the numbers of the summary."""
    print(
        '\nrelative distance to the boundary: mean, and half the sum of '
        'absolute differences\nfrom the distribution of the sparse labels'
    )
    for key, row in summary['distributions'].items():
        other = percent(row['difference_from_scribble_labels'])
        print(f'  {key:52} {row["mean"]:.3f}  {other}')
    print('\nprecision of all pixels, and of those up to the relative '
          f'distance {NEAR}')  # fmt: skip
    for key, row in summary['precision'].items():
        print(f'  {key:52} {percent(row["all"])}  {percent(row["up_to_0_2"])}')


def percent(share: float | None) -> str:
    """Return a share for a column."""
    return '      -' if share is None else f'{100 * share:5.1f} %'


def draw_pictures(
    found: PreferenceAnalysis, classes: Sequence[str],
    palette: Sequence[Sequence[int]], width: int, title: str,
) -> Any:  # fmt: skip
    """Return the sheet of pictures."""
    # One scale for all, beyond which few pixels are.
    losses = np.concatenate([one.loss.ravel() for one in found.maps])
    top = max(1e-3, float(np.percentile(losses, 99)))
    ratio = max(one.loss.shape[0] / one.loss.shape[1] for one in found.maps)
    size = (max(1, round(width * min(ratio, 1.5))), width)
    rows, captions = [], []
    for one in found.maps:
        row, line = [strokes_of(one, palette)], [one.name]
        for values, high in ((one.annotation, 1.0), (one.segmentation, 1.0),
                             (one.delta, 1.0), (one.loss, top)):  # fmt: skip
            row.append(heat_map(one.image, values, top=high))
            line.append(
                f'mean {values.mean():.3f}, highest {values.max():.3f}'
            )
        rows.append([fit_into(picture, size) for picture in row])
        captions.append(line)
    strokes = any(one.labels is not None for one in found.maps)
    return picture_sheet(
        rows,
        ['image and labels' if strokes else 'image',
         'annotation probability', 'segmentation probability',
         f'delta (gamma {found.gamma:g})', 'BLP loss'],
        heading=f'{title}: blue = 0, red = 1; of the loss, red = {top:.2g} '
        'nats and more',
        captions=captions,
        classes=classes if strokes else (), palette=palette,
    )  # fmt: skip


def strokes_of(one: PreferenceMaps, palette: Sequence[Sequence[int]]) -> Any:
    """Return the image with its labels, thick enough to see."""
    if one.labels is None:
        return one.image
    # Clicks are single pixels: they need more to be seen.
    thin = (one.labels != 255).mean() < 0.002
    widen = max(1, round(one.image.shape[1] / (100 if thin else 250)))
    return draw_outlined_strokes(
        one.image, one.labels, palette, widen=widen, dim=1.0
    )


def encode(picture: Any) -> bytes:
    """Return an RGB picture as a PNG."""
    done, content = cv2.imencode('.png', picture[..., ::-1])
    assert done, 'a PNG can always be made'
    return content.tobytes()
