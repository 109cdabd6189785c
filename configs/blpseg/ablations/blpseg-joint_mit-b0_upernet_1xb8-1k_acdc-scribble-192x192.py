# One sum over strokes and own labels, and a threshold, as in the release.
_base_ = '../blpseg_mit-b0_upernet_1xb8-1k_acdc-scribble-192x192.py'
model = dict(
    decode_head=dict(
        self_training_confidence=0.9,
        self_training_normalizer='joint',
        self_training_sample=None,
    )
)
