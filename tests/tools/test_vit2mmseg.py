"""The converter of vision transformers as a command."""

from pathlib import Path

import pytest
import torch
from mmengine.runner.checkpoint import load_checkpoint
from mmseg.registry import MODELS

from mmseg_sparse.engine.vit_checkpoint import convert_vit
from tests.engine.test_vit_checkpoint import HEADS, dinov2
from tests.helpers import tools


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / 'dinov2.pth'
    torch.save(dinov2(), path)
    return path


def test_writes_what_the_printed_backbone_loads(
    source: Path, tmp_path: Path
) -> None:
    done = tools.call(
        'vit2mmseg', source, 'vit.pth', '--num-heads', HEADS, cwd=tmp_path
    )
    said, _, printed = done.stdout.partition('backbone=')
    assert 'largest difference to the source' in said
    backbone = eval(printed)
    assert backbone.pop('init_cfg')['checkpoint'] == 'vit.pth'
    model = MODELS.build(backbone)
    load_checkpoint(model, str(tmp_path / 'vit.pth'), strict=True)
    expected = convert_vit(dinov2(), HEADS).state_dict
    for key, value in model.state_dict().items():
        assert torch.equal(value, expected[key]), key
    again = tools.call('vit2mmseg', source, 'vit.pth', '--num-heads', HEADS,
                       cwd=tmp_path, check=False)  # fmt: skip
    assert again.returncode != 0
    assert '--overwrite' in again.stderr


def test_half_is_float16(source: Path, tmp_path: Path) -> None:
    tools.call('vit2mmseg', source, 'half.pth', '--num-heads', HEADS,
               '--half', cwd=tmp_path)  # fmt: skip
    state = torch.load(tmp_path / 'half.pth', weights_only=True)
    assert {value.dtype for value in state.values()} == {torch.float16}


@pytest.mark.parametrize(
    ('content', 'said'),
    [(None, 'SOURCE not found'), ('text', 'not a checkpoint'),
     ({'epoch': 1}, 'parameters by name')],
)  # fmt: skip
def test_a_wrong_source_is_one_sentence(
    content: object, said: str, tmp_path: Path
) -> None:
    path = tmp_path / 'source.pth'
    if isinstance(content, str):
        path.write_text(content)
    elif content is not None:
        torch.save(content, path)
    done = tools.call(
        'vit2mmseg', path, tmp_path / 'o.pth', cwd=tmp_path, check=False
    )
    assert done.returncode != 0
    assert said in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (tmp_path / 'o.pth').exists()
