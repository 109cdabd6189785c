# Table III, row 6: A compares the decoder's features and positions.
_base_ = '../blpseg_r101_upernet_2xb5-42k_voc12-scribble-384x384.py'
model = dict(
    decode_head=dict(
        local_aggregation=dict(use_low_level=False, use_high_level=True),
    )
)
