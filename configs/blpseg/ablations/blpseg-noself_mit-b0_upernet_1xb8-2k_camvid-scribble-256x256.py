# Without self-training: CE + LAM + BLP.
_base_ = '../blpseg_mit-b0_upernet_1xb8-2k_camvid-scribble-256x256.py'
model = dict(
    decode_head=dict(
        self_training_begin=None,
    )
)
