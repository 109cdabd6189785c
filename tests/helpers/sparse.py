"""Sparse models that tests share."""

from mmseg.registry import MODELS
from torch import nn

from tests.helpers import stock


@MODELS.register_module()
class KeepingRegularizer(nn.Module):
    """Keeps what it is given, detached; gives no loss."""

    def __init__(self, feature_from=None, stages=()):
        super().__init__()
        self.feature_from = feature_from
        self.attention_stages = stages

    def forward(self, logits, feats, labels, valid):
        self.logits, self.feats = logits, feats
        return {'kept': logits.detach().mean()}


def config(regularizers=(), name='segformer', **changes):
    cfg = stock.stock_model_config(name)
    cfg.type = 'SparseEncoderDecoder'
    cfg.regularizers = regularizers
    cfg.update(changes)
    return cfg


AFFINITY = dict(type='AttentionAffinityLoss', loss_weight=1.2)
