# Human scribbles on cardiac MR slices: about 20 minutes a training on a core.
title = 'ACDC, human scribbles'
metrics = {
    'mIoU': 'mIoU',
    'mDice': 'mDice',
    'volume/mDice': 'mDice of volumes',
    'aAcc': 'aAcc',
    'boundary/mIoU_0.02d': 'boundary IoU',
}
requires = [
    dict(
        path='data/acdc/scribbles/train',
        source='images and masks are those of the ACDC challenge (Bernard et '
        'al., IEEE TMI 2018), the scribbles those of Valvano et al. (IEEE '
        'TMI 2021, https://vios-s.github.io/multiscale-adversarial-attention-'
        'gates), and convert_acdc arranges them, see docs/datasets.md',
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
        dataset='ACDC',
        backbone='MiT-B0',
        labels='scribble',
        config='{}_mit-b0_segformer_1xb8-1k_acdc-scribble-192x192.py',
        methods={
            'CE': 'ce',
            'Gated CRF': 'gated_crf',
            'Tree energy': 'tree_energy',
            'SASFormer': 'sasformer',
            'DFR': 'dfr',
            'BLPSeg': 'blpseg_mit-b0_upernet_1xb8-1k_acdc-scribble-192x192.py',
            'BLPSeg + SASFormer': 'recipe_mit-b0_upernet_'
            '1xb8-1k_acdc-scribble-192x192.py',
            'BLPSeg, one sum': 'blpseg-joint_mit-b0_upernet_'
            '1xb8-1k_acdc-scribble-192x192.py',
        },
    ),
    dict(
        dataset='ACDC',
        backbone='MiT-B0',
        labels='dense',
        config='{}_mit-b0_segformer_1xb8-1k_acdc-dense-192x192.py',
        methods={'CE': 'ce'},
    ),
]
