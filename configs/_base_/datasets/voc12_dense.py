# The bound: dense masks of the same images. As mmseg's pascal_voc12_aug.py,
# which reads the masks of train from SegmentationClass and those of aug from
# SegmentationClassAug, where mmseg's converter voc_aug.py puts them.
_base_ = './voc12_scribble.py'
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(
                type='PascalVOCDataset',
                data_root='data/VOCdevkit/VOC2012',
                data_prefix=dict(img_path='JPEGImages', seg_map_path=folder),
                ann_file=f'ImageSets/Segmentation/{split}.txt',
                pipeline=_base_.train_pipeline,
            )
            for split, folder in (
                ('train', 'SegmentationClass'),
                ('aug', 'SegmentationClassAug'),
            )
        ],
    )
)
