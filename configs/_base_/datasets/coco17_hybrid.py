# COCO 2017, 80 classes and the background: 20k training images have masks,
# the other 98k tags alone.
#
# data/coco17/ holds train2017/ and val2017/ with the images and masks/ with
# masks of both (0 = background, 1..80 the classes in order of their category
# ids); tags/train2017/labels.json has the tags of all training images,
# hybrid_20k.txt says which are strong; see configs/trl/README.md.
_base_ = './coco14_tag.py'
data_root = 'data/coco17'
train_pipeline = [
    *_base_.train_pipeline[:3],
    dict(type='RandomCrop', crop_size=(328, 328)),
    *_base_.train_pipeline[4:],
]
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        _delete_=True,
        type='SparseCOCODataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='train2017',
            seg_map_path='masks/train2017',
            pseudo='pseudo_labels',
        ),
        ann_file='hybrid_20k.txt',
        tag_file='tags/train2017/labels.json',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        data_prefix=dict(img_path='val2017', seg_map_path='masks/val2017'),
    )
)
test_dataloader = val_dataloader
