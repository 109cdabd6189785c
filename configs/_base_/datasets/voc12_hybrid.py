# PASCAL VOC 2012: the 1464 images of train have masks, the others of trainaug
# tags alone. hybrid_1464.txt is made as configs/trl/README.md says,
# cls_labels_onehot.npy a dict of 20 zeros and ones by image name. Pseudo
# labels of the weak images, if any, are in the folder of that name. The
# validation images have tags too, from their masks.
_base_ = './voc12_scribble.py'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    dict(type='RandomResize', scale=(500, 500), ratio_range=(0.5, 2.0),
         keep_ratio=True),  # of their own size
    dict(type='RandomCrop', crop_size=(328, 328)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackSparseInputs'),
]  # fmt: skip
test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(type='PackSparseInputs', num_classes=21, background=0),
]
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        _delete_=True,
        type='SparsePascalVOCDataset',
        data_root=_base_.data_root,
        data_prefix=dict(
            img_path='JPEGImages',
            seg_map_path='SegmentationClass',
            pseudo='pseudo_labels',
        ),
        ann_file='ImageSets/Segmentation/hybrid_1464.txt',
        tag_file='cls_labels_onehot.npy',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
