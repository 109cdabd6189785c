# Table IV: sigma = 3.
_base_ = '../blpseg_r101_upernet_2xb5-42k_voc12-scribble-384x384.py'
model = dict(
    decode_head=dict(
        local_aggregation=dict(sigma=3.0),
    )
)
