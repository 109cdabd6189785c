_base_ = './toy_dense.py'
train_dataloader = dict(
    dataset=dict(data_prefix=dict(seg_map_path='scribbles/train'))
)
