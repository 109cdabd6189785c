# Cross entropy on the same head.
_base_ = '../blpseg_mit-b0_upernet_1xb8-2k_camvid-scribble-256x256.py'
model = dict(
    decode_head=dict(
        local_aggregation=False,
        scribble_loss=False,
        self_training_begin=None,
        loss_decode=dict(
            _delete_=True, type='CrossEntropyLoss', avg_non_ignore=True
        ),
    )
)
