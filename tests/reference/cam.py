"""AFA's CAM and pseudo labels, pixel by pixel, float64.

Written from section 3.2, eq. 2, eq. 4 and table 1 of the paper; what the
release adds (scales, mirror images, two background scores) says so.
"""

import math

IGNORED = 255


def pool(feature, share):
    """Table 1: the mean of the top k of each map (D, h, w)."""
    pooled = []
    for channel in feature.tolist():
        values = sorted((v for row in channel for v in row), reverse=True)
        if share == 'gmp':
            count = 1
        elif share == 'gap':
            count = len(values)
        else:
            count = math.ceil(round(share * len(values), 6))
        pooled.append(math.fsum(values[:count]) / count)
    return pooled


def activation(feature, weight):
    """Eq. 2 without its ReLU: feature (D, h, w), weight (K, D)."""
    channels, height, width = feature.shape
    maps = feature.new_zeros(len(weight), height, width)
    for k in range(len(weight)):
        for y in range(height):
            for x in range(width):
                maps[k, y, x] = math.fsum(
                    weight[k, i].item() * feature[i, y, x].item()
                    for i in range(channels)
                )
    return maps


def bilinear(grid, height, width):
    """Resize (h, w); samples beyond the border are the border's."""
    h, w = grid.shape
    result = grid.new_zeros(height, width)
    for y in range(height):
        for x in range(width):
            v = max((y + 0.5) * h / height - 0.5, 0)
            u = max((x + 0.5) * w / width - 0.5, 0)
            top, left = int(v), int(u)
            value = 0.0
            for j, wy in ((top, 1 - (v - top)), (top + 1, v - top)):
                for i, wx in ((left, 1 - (u - left)), (left + 1, u - left)):
                    value += (
                        wy * wx * grid[min(j, h - 1), min(i, w - 1)].item()
                    )
            result[y, x] = value
    return result


def normalize(grid):
    """Section 3.2's min-max, with the release's 1e-5."""
    low = min(v for row in grid.tolist() for v in row)
    high = max(v - low for row in grid.tolist() for v in row)
    return (grid - low) / (high + 1e-5)


def merge(scales, height, width):
    """The release: pairs of maps (K, h, w), one of the mirrored image."""
    classes = len(scales[0][0])
    merged = []
    for k in range(classes):
        total = scales[0][0].new_zeros(height, width)
        for maps, mirrored in scales:
            plain = bilinear(maps[k], height, width)
            back = bilinear(mirrored[k].flip(-1), height, width)
            for y in range(height):
                for x in range(width):
                    best = max(plain[y, x].item(), back[y, x].item())
                    total[y, x] += max(best, 0.0)
        merged.append(normalize(total))
    return merged


def class_id(index, background):
    """The id of a foreground class, the background having one too."""
    if background is None or index < background:
        return index
    return index + 1


def eq4(cam, present, high, low, background):
    """Eq. 4 over the present classes of (K, H, W)."""
    rows = []
    for y in range(cam.shape[1]):
        row = []
        for x in range(cam.shape[2]):
            scores = {
                k: cam[k, y, x].item() for k in range(len(cam)) if present[k]
            }
            best = max(scores, key=scores.get) if scores else None
            if best is not None and scores[best] >= high:
                row.append(class_id(best, background))
            elif best is None or scores[best] <= low:
                row.append(IGNORED if background is None else background)
            else:
                row.append(IGNORED)
        rows.append(row)
    return rows


def two_scores(high, low, present, background):
    """The release: maps (K + 1, H, W), 0 the background, both refined."""
    rows = []
    for y in range(high.shape[1]):
        row = []
        for x in range(high.shape[2]):
            best = [
                max(
                    (k for k in range(len(maps)) if present[k]),
                    key=lambda k: maps[k, y, x].item(),
                )
                for maps in (high, low)
            ]
            if best[0] > 0:
                row.append(class_id(best[0] - 1, background))
            elif best[1] > 0 or background is None:
                row.append(IGNORED)
            else:
                row.append(background)
        rows.append(row)
    return rows


def margin(scores, present, keep):
    """The surest share of each class's pixels, of maps (K, H, W)."""
    shown = [k for k in range(len(scores)) if present[k]]
    rows = [[IGNORED] * scores.shape[2] for _ in range(scores.shape[1])]
    pixels = {k: [] for k in shown}
    for y in range(scores.shape[1]):
        for x in range(scores.shape[2]):
            if not shown:
                continue
            ranked = sorted(
                shown, key=lambda k: scores[k, y, x].item(), reverse=True
            )
            apart = 1.0
            if len(ranked) > 1:
                best, second = (scores[k, y, x].item() for k in ranked[:2])
                apart = best - second
            pixels[ranked[0]].append((apart, y, x))
    for k, found in pixels.items():
        ranked = sorted((apart for apart, _, _ in found), reverse=True)
        least = ranked[math.ceil(keep * len(found)) - 1] if found else None
        for apart, y, x in found:
            if apart >= least and apart > 0:
                rows[y][x] = k
    return rows
