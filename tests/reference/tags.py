"""Average precision and F1 of tags, one image at a time."""


def average_precision(scores, present):
    """Return the mean precision over the images that have the tag.

    The precision at such an image is the share of images with the tag among
    those whose score is at least as high as its own.
    """
    found = []
    for score, here in zip(scores, present, strict=True):
        if here:
            above = [
                p for s, p in zip(scores, present, strict=True) if s >= score
            ]
            found.append(sum(above) / len(above))
    return sum(found) / len(found)


def f1(scores, present, threshold):
    """Return 2 TP / (2 TP + FP + FN) where scores above are positive."""
    right = wrong = missed = 0
    for score, here in zip(scores, present, strict=True):
        right += here and score > threshold
        wrong += score > threshold and not here
        missed += here and score <= threshold
    return 2 * right / (2 * right + wrong + missed)
