# The same images with the clicks of What's the Point, in PointAug/: a PNG an
# image, class index at the clicked pixels, 255 = no label here.
_base_ = './voc12_scribble.py'
train_dataloader = dict(
    dataset=dict(data_prefix=dict(seg_map_path='PointAug'))
)
