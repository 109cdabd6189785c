# The toy shapes, of which some have masks and the others tags alone, made as
# configs/trl/README.md says. hybrid.txt says which; tags/ has those of all.
# The validation images have tags too, from their masks.
_base_ = './toy_dense.py'
data_root = 'work_dirs/toy_hybrid'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSparseInputs'),
]
test_pipeline = [
    *_base_.test_pipeline[:-1],
    dict(type='PackSparseInputs', num_classes=7, background=0),
]
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='SparseToyShapesDataset',
        data_root=data_root,
        data_prefix=dict(
            img_path='images/train',
            seg_map_path='masks/train',
            pseudo='pseudo_labels',
        ),
        ann_file='hybrid.txt',
        tag_file='tags/labels.json',
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = val_dataloader
