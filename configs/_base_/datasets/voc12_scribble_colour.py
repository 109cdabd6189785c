# The images and scribbles of voc12_scribble.py with mmseg's own pipelines: a
# short side of 512 resized by 0.5-2.0, crop, flip, photometric distortion.
# Multi-scale testing is 0.5-1.75, each with its mirror image.
_base_ = 'mmseg::_base_/datasets/pascal_voc12.py'
train_dataloader = dict(
    batch_size=2,
    dataset=dict(
        data_prefix=dict(seg_map_path='ScribbleAug'),
        ann_file='ImageSets/Segmentation/trainaug.txt',
    ),
)
