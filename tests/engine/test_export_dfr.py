from mmengine.config import Config

from mmseg_sparse.engine.export import stock_checkpoint, stock_config
from tests.configs.test_content import leaf
from tests.helpers import stock
from tests.helpers.shipped import parse, shrink


def test_the_feature_head_stays_behind():
    name = 'dfr_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256'
    cfg = shrink(parse(leaf(name)))
    model = stock.build(Config(cfg.to_dict()).model)
    state = model.state_dict()
    head = [key for key in state if key.startswith('regularizers.')]
    assert len(head) == 2
    plain, _ = stock_config(cfg)
    assert plain.model.type == 'EncoderDecoder'
    assert 'regularizers' not in plain.model
    exported = stock_checkpoint(cfg, plain, dict(state_dict=state, meta={}))
    assert set(exported['state_dict']) == set(state) - set(head)
