_base_ = './camvid_dense.py'
train_dataloader = dict(
    dataset=dict(data_prefix=dict(seg_map_path='points/train'))
)
