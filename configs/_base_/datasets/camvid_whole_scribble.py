# CamVid with scribbles, whole images as in camvid_whole_dense.py.
_base_ = './camvid_whole_dense.py'
train_dataloader = dict(
    dataset=dict(data_prefix=dict(seg_map_path='scribbles/train'))
)
