"""DFR's losses as its paper writes them, pixel by pixel, float64."""

import math


def neighbours(y, x, height, width, radius):
    """Eq. 3, without the pixel itself."""
    for v in range(max(y - radius, 0), min(y + radius, height - 1) + 1):
        for u in range(max(x - radius, 0), min(x + radius, width - 1) + 1):
            if (v, u) != (y, x):
                yield v, u


def pixels(maps):
    """One list of channels a pixel: image -> row -> column -> values."""
    return maps.permute(0, 2, 3, 1).tolist()


def kernel(g_i, g_j, dy, dx, sigma_xy):
    """Eq. 6 and 13; the guides are divided by their sigmas."""
    shade = sum((a - b) ** 2 for a, b in zip(g_i, g_j, strict=True))
    return math.exp(-(dy**2 + dx**2) / (2 * sigma_xy**2) - shade / 2)


def potts_energy(prob, guide, *, radius, sigma_xy, valid=None):
    """Eq. 3-6."""
    n, classes, height, width = prob.shape
    p, g = pixels(prob), pixels(guide)
    total, count = 0.0, 0
    for image in range(n):
        for y in range(height):
            for x in range(width):
                if valid is not None and not valid[image, y, x]:
                    continue
                count += 1
                for v, u in neighbours(y, x, height, width, radius):
                    if valid is not None and not valid[image, v, u]:
                        continue
                    agree = sum(
                        p[image][y][x][c] * p[image][v][u][c]
                        for c in range(classes)
                    )
                    k = kernel(
                        g[image][y][x], g[image][v][u], v - y, u - x, sigma_xy
                    )
                    total += k * (1 - agree)
    return total / max(count, 1)


def mean_square_distance(maps, valid=None):
    """Mean of ||F_i - F_j||^2 over all pairs (i, j) of pixels of a batch."""
    n, _, height, width = maps.shape
    f = pixels(maps)
    chosen = [
        f[image][y][x]
        for image in range(n)
        for y in range(height)
        for x in range(width)
        if valid is None or valid[image, y, x]
    ]
    total = 0.0
    for one in chosen:
        for other in chosen:
            total += sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
    return total / max(len(chosen), 1) ** 2


def labelled_pairs(labels, radius, ignore_index):
    """Eq. 8: ordered pairs (image, i, j) of labelled pixels."""
    n, height, width = labels.shape
    m = labels.tolist()
    for image in range(n):
        for y in range(height):
            for x in range(width):
                if m[image][y][x] == ignore_index:
                    continue
                for v, u in neighbours(y, x, height, width, radius):
                    if m[image][v][u] != ignore_index:
                        yield image, (y, x), (v, u)


def l1(f, image, i, j):
    """||F_i - F_j|| / d of eq. 10."""
    f_i, f_j = f[image][i[0]][i[1]], f[image][j[0]][j[1]]
    gap = sum(abs(a - b) for a, b in zip(f_i, f_j, strict=True))
    return gap / len(f_i)


def feature_distance(
    feature, labels, *, radius, background=0, ignore_index=255
):
    """Eq. 9-11."""
    f, m = pixels(feature), labels.tolist()
    sums = {'background': 0.0, 'foreground': 0.0, 'unlike': 0.0}
    counts = dict.fromkeys(sums, 0)
    for image, i, j in labelled_pairs(labels, radius, ignore_index):
        relation = math.exp(-l1(f, image, i, j))  # D of eq. 10
        of_i, of_j = m[image][i[0]][i[1]], m[image][j[0]][j[1]]
        if of_i != of_j:
            kind, loss = 'unlike', -math.log(1 - relation)
        else:
            kind = 'background' if of_i == background else 'foreground'
            loss = -math.log(relation)
        sums[kind] += loss
        counts[kind] += 1
    mean = {kind: sums[kind] / max(counts[kind], 1) for kind in sums}
    return mean['background'] + mean['foreground'] + 2 * mean['unlike']


def feature_regularization(
    feature,
    guide,
    labels,
    *,
    radius,
    sigma_xy,
    ignore_index=255,
    valid=None,
):
    """Eq. 12-13."""
    f, g = pixels(feature), pixels(guide)
    count = labels.numel() if valid is None else int(valid.sum())
    total = 0.0
    for image, i, j in labelled_pairs(labels, radius, ignore_index):
        k = kernel(
            g[image][i[0]][i[1]],
            g[image][j[0]][j[1]],
            j[0] - i[0],
            j[1] - i[1],
            sigma_xy,
        )
        total += k * l1(f, image, i, j)
    return total / max(count, 1)
