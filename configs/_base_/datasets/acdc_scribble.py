# ACDC with the scribbles that Valvano et al. drew: 1.03 % of the pixels.
_base_ = './acdc_dense.py'
train_dataloader = dict(
    dataset=dict(
        supervision='scribble',
        data_prefix=dict(seg_map_path='scribbles/train'),
    )
)
