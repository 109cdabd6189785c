# The toy shapes, of which some have masks and the others tags alone, made as
# configs/trl/README.md says. hybrid.txt says which; tags/ has those of all.
_base_ = './toy_dense.py'
data_root = 'work_dirs/toy_hybrid'
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadSparseAnnotations'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PhotoMetricDistortion'),
    dict(type='PackSparseInputs'),
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
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
