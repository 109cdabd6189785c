# ScribbleSup and What's the Point on PASCAL VOC 2012, with the backbones of
# the papers. For GPUs: a training has 40000 iterations of 16 images.
title = 'PASCAL VOC 2012'
requires = [
    dict(
        path='data/VOCdevkit/VOC2012/JPEGImages',
        source='images and masks are those of the PASCAL VOC 2012 challenge, '
        'http://host.robots.ox.ac.uk/pascal/VOC/voc2012, see '
        'docs/datasets.md',
    ),
    dict(
        path='data/VOCdevkit/VOC2012/SegmentationClassAug',
        source='the masks are those of SBD (Hariharan et al., ICCV 2011), '
        "which mmseg's voc_aug.py converts, see docs/datasets.md",
    ),
    dict(
        path='data/VOCdevkit/VOC2012/ScribbleAug',
        source='the scribbles are those of ScribbleSup (Lin et al., CVPR '
        '2016), see docs/datasets.md',
    ),
]
groups = [
    dict(
        dataset='VOC 2012',
        backbone='MiT-B4',
        labels='scribble',
        config='{}_mit-b4_segformer_8xb2-40k_voc12-scribble-512x512.py',
        methods={'CE': 'ce', 'SASFormer': 'sasformer'},
    ),
    dict(
        dataset='VOC 2012',
        backbone='MiT-B4',
        labels='point',
        config='{}_mit-b4_segformer_8xb2-40k_voc12-point-512x512.py',
        methods={'CE': 'ce', 'SASFormer': 'sasformer'},
    ),
    dict(
        dataset='VOC 2012',
        backbone='MiT-B4',
        labels='dense',
        config='{}_mit-b4_segformer_8xb2-40k_voc12-dense-512x512.py',
        methods={'CE': 'ce'},
    ),
    dict(
        dataset='VOC 2012',
        backbone='ResNet-50',
        labels='scribble',
        config='{}_r50_deeplabv3plus_8xb2-40k_voc12-scribble-512x512.py',
        methods={'CE': 'ce', 'Gated CRF': 'gated_crf', 'DFR': 'dfr'},
    ),
    dict(
        dataset='VOC 2012',
        backbone='Swin-B',
        labels='scribble',
        config='{}_swin-b_upernet_8xb2-40k_voc12-scribble-512x512.py',
        methods={'CE': 'ce', 'DFR': 'dfr'},
    ),
]
