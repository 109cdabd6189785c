"""What the backbone of an own project starts from."""

from pathlib import Path

import pytest
import torch

from mmseg_sparse.start.weights import Weights, given_weights


@pytest.mark.parametrize(
    ('text', 'wanted'),
    [
        ('none', Weights('mit-b0', None)),
        ('https://x.org/mit_b3_1.pth', Weights('mit-b3',
                                               'https://x.org/mit_b3_1.pth')),
        ('https://x.org/a.pth', Weights('mit-b0', 'https://x.org/a.pth')),
    ],
)  # fmt: skip
def test_without_a_file(text: str, wanted: Weights) -> None:
    assert given_weights(text) == wanted


def test_a_missing_file_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r'--weights: no file gone'):
        given_weights('gone.pth')


@pytest.mark.parametrize(
    'content',
    [
        b'no checkpoint',
        dict(state_dict=3),
        dict(state_dict={'conv1.weight': torch.zeros(2)}),
        {'layers.0.0.projection.weight': torch.zeros(5, 3, 7, 7)},
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: object) -> None:
    path = tmp_path / 'w.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=r'w\.pth does not hold a MiT'):
        given_weights(str(path))
