"""The tree energy loss of Liang et al., path by path, float64."""

import itertools
import math


def neighbours(guide, inside):
    """(weight, pixel, pixel) of 4-neighbours that are both inside."""
    height, width = inside.shape
    for y, x in itertools.product(range(height), range(width)):
        for other in ((y, x + 1), (y + 1, x)):
            if other[0] < height and other[1] < width:
                if inside[y, x] and inside[other]:
                    step = guide[(slice(None), y, x)]
                    step = step - guide[(slice(None), *other)]
                    yield (step**2).sum().item(), (y, x), other


def minimum_spanning_tree(guide, inside):
    """Kruskal: the lightest edges that close no circle, ties in order."""
    part = {(y, x): (y, x) for y, x in inside.nonzero().tolist()}
    tree = {pixel: {} for pixel in part}
    for weight, i, j in sorted(neighbours(guide, inside)):
        if part[i] != part[j]:
            old, new = part[i], part[j]
            part = {k: new if p == old else p for k, p in part.items()}
            tree[i][j] = tree[j][i] = weight
    return tree


def distances(tree, start):
    """Sum of the weights on the path from one pixel to each other one."""
    found, waiting = {start: 0.0}, [start]
    while waiting:
        pixel = waiting.pop()
        for other, weight in tree[pixel].items():
            if other not in found:
                found[other] = found[pixel] + weight
                waiting.append(other)
    return found


def tree_filter(maps, guide, sigma, valid):
    """Eq. 7: means weighted by exp(-D / sigma), of each pixel inside."""
    out = maps.new_zeros(maps.shape)
    for n in range(len(maps)):
        tree = minimum_spanning_tree(guide[n], valid[n])
        for i in tree:
            total = 0.0
            for j, distance in distances(tree, i).items():
                affinity = math.exp(-distance / sigma)
                total += affinity
                out[(n, slice(None), *i)] += (
                    affinity * maps[(n, slice(None), *j)]
                )
            out[(n, slice(None), *i)] /= total
    return out


def tree_energy(prob, image, feature, *, sigma, sigma_feature, counted, valid):
    """Eq. 6 and 8: mean L1 distance to the twice filtered prediction."""
    pseudo = tree_filter(prob, image, sigma, valid)
    pseudo = tree_filter(pseudo, feature, sigma_feature, valid)
    pixels = counted.nonzero().tolist()
    total = sum(
        abs(p - q).item()
        for n, y, x in pixels
        for p, q in zip(prob[n, :, y, x], pseudo[n, :, y, x], strict=True)
    )
    return total / len(pixels) if pixels else 0.0
