"""What a mean teacher's predictions become, written out pixel by pixel."""

import math

import numpy as np


def mean_confidence(prob, valid):
    """Return sums and counts of the best probabilities, by class."""
    number, classes, height, width = prob.shape
    total, count = np.zeros(classes), np.zeros(classes)
    for n in range(number):
        for y in range(height):
            for x in range(width):
                if valid[n, y, x]:
                    best = max(range(classes), key=lambda c: prob[n, c, y, x])
                    total[best] += prob[n, best, y, x]
                    count[best] += 1
    return total, count


def teacher_labels(prob, threshold, labels, valid, ignore_index):
    number, classes, height, width = prob.shape
    found = np.full(labels.shape, ignore_index)
    for n in range(number):
        for y in range(height):
            for x in range(width):
                best = max(range(classes), key=lambda c: prob[n, c, y, x])
                if (
                    valid[n, y, x]
                    and labels[n, y, x] == ignore_index
                    and prob[n, best, y, x] >= threshold[best]
                ):
                    found[n, y, x] = best
    return found


def precision_counts(found, dense, classes, ignore_index):
    """Go from pixel to pixel."""
    right, count = [0] * classes, [0] * classes
    for label, true in zip(found.ravel(), dense.ravel(), strict=True):
        if ignore_index in (label, true):
            continue
        count[label] += 1
        right[label] += label == true
    return right, count


def teacher_loss(logits, prob, sure, *, soft):
    number, classes, height, width = logits.shape
    total, count = 0.0, 0
    for n in range(number):
        for y in range(height):
            for x in range(width):
                if not sure[n, y, x]:
                    continue
                count += 1
                z = logits[n, :, y, x]
                log_sum = math.log(sum(math.exp(v) for v in z))
                q = prob[n, :, y, x]
                if not soft:
                    q = np.eye(classes)[int(np.argmax(q))]
                total -= sum(q[c] * (z[c] - log_sum) for c in range(classes))
    return total / max(1, count)
