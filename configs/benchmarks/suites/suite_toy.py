# Ten minutes on two idle cores, without data or weights: toy shapes and a
# MiT from scratch. What wins here need not win on photographs.
title = 'Toy shapes'
make_data = ['make_toy_dataset']
groups = [
    dict(
        dataset='toy shapes',
        backbone='MiT-tiny',
        labels='scribble',
        config='{}_mit-tiny_segformer_1xb8-2k_toy-scribble-64x64.py',
        methods={
            'CE': 'ce',
            'SASFormer': 'sasformer',
            'Gated CRF': 'gated_crf',
            'Tree energy': 'tree_energy',
            'DFR': 'dfr',
        },
    ),
    dict(
        dataset='toy shapes',
        backbone='MiT-tiny',
        labels='point',
        config='{}_mit-tiny_segformer_1xb8-2k_toy-point-64x64.py',
        methods={'CE': 'ce', 'SASFormer': 'sasformer'},
    ),
    dict(
        dataset='toy shapes',
        backbone='MiT-tiny',
        labels='dense',
        config='{}_mit-tiny_segformer_1xb8-2k_toy-dense-64x64.py',
        methods={'CE': 'ce'},
    ),
]
