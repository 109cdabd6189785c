"""Registries of mmseg_sparse, each a child of mmseg's registry of that name.

Classes of this package register straight into ``mmseg.registry.*``, so that
``type='DFRLoss'`` resolves in any mmseg config. The child registries below
exist for MMEngine's scopes: a base config loaded as ``mmseg_sparse::...``
stamps ``_scope_='mmseg_sparse'`` on every dict, and a registry without a
child of that scope would warn and fall back to the root.
"""

from typing import Any

import mmseg.registry as mmseg_registry
from mmengine.registry import Registry

SCOPE = 'mmseg_sparse'


def _child(name: str) -> Registry:
    parent: Registry = getattr(mmseg_registry, name)
    # A registry imports its own locations before it searches, not those of
    # its parent: without them a scoped dict would miss mmseg's own types.
    return Registry(
        parent.name,
        parent=parent,
        scope=SCOPE,
        locations=['mmseg_sparse', *parent._locations],
    )


#: Names of the registries mmseg offers.
REGISTRY_NAMES = tuple(
    sorted(
        name
        for name, value in vars(mmseg_registry).items()
        if name.isupper() and isinstance(value, Registry)
    )
)

CHILDREN = {name: _child(name) for name in REGISTRY_NAMES}
globals().update(CHILDREN)


def class_of(kind: Any, registry: Registry) -> Any:
    """Return the class that a config's ``type`` names; None: no such class."""
    return registry.get(kind) if isinstance(kind, str) else kind


def mirror() -> None:
    """Enter our classes into the child registries as well.

    A name with a scope, ``type='mmseg_sparse.DFRLoss'``, is looked up in the
    registry of that scope alone, never in its parent.
    """
    for child in CHILDREN.values():
        for key, module in child.parent.module_dict.items():
            ours = module.__module__.partition('.')[0] == SCOPE
            if ours and key not in child.module_dict:
                child.register_module(name=key, module=module)
