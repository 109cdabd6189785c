# Table III, row 5: A compares the decoder's features alone.
_base_ = '../blpseg_r101_upernet_2xb5-42k_voc12-scribble-384x384.py'
model = dict(
    decode_head=dict(
        local_aggregation=dict(
            use_low_level=False, use_high_level=True, use_distance=False
        ),
    )
)
