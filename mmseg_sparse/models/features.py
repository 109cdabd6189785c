"""The feature maps of a backbone, with what else a loss may ask for."""

from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from mmseg_sparse.functional import Attention


class Features(tuple[Tensor, ...]):
    """Feature maps that any stock head can index, and what else is known.

    Attributes:
        image: The network's input after normalisation, ``(N, 3, H, W)``.
        attention: The recorded layers of each backbone stage; empty where
            nothing asked for them.
        module_inputs: Inputs of the modules that regularizers and refiner
            named by ``feature_from``, by that name; there once the decode
            head has run, those of regularizers in training only.
        labels: In training, ``(N, H, W)`` with 255 where no label is; None
            in inference.
        valid: Bool ``(N, H, W)``, false in padding; None where nothing is
            padded, or where nobody said.
        tags: What image-level labels say is there, ``(N, tags)``, in
            segmentors that are told; else None.
        regularized: Whether regularizers or a further head will look at all
            of the logits.
    """

    image: Tensor | None
    attention: Sequence[Sequence[Attention]]
    module_inputs: dict[str, Tensor]
    labels: Tensor | None
    valid: Tensor | None
    tags: Tensor | None
    regularized: bool

    def __new__(
        cls,
        maps: Iterable[Tensor],
        image: Tensor | None = None,
        attention: Sequence[Sequence[Attention]] = (),
    ) -> 'Features':
        """Make a tuple of the maps."""
        features = super().__new__(cls, maps)
        features.image = image
        features.attention = attention
        features.module_inputs = {}
        features.labels = None
        features.valid = None
        features.tags = None
        features.regularized = False
        return features


class ModuleInputs:
    """Keeps the first input of named modules while a model runs.

    Used as ``with ModuleInputs(model, names) as inputs``; the last call of a
    module counts. Where a stock head drops channels on the way into the
    module (``dropout`` before ``conv_seg``), what is kept is the map before
    that. No hook outlives the block.

    Args:
        model: A segmentor. In a cascade ``'decode_head.conv_seg'`` stands
            for that module of the last decode head.
        names: Paths of modules.

    Raises:
        ValueError: If a name is not that of a module.
    """

    def __init__(self, model: nn.Module, names: Iterable[str]) -> None:
        """Resolve the names."""
        self._modules = {name: _find_module(model, name) for name in names}
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> dict[str, Tensor]:
        """Hook the modules."""
        inputs: dict[str, Tensor] = {}
        for name, (module, parent) in self._modules.items():
            dropped: list[tuple[Tensor, Tensor]] = []

            def drop(
                module: nn.Module,
                args: tuple[Any, ...],
                output: Tensor,
                dropped: list[tuple[Tensor, Tensor]] = dropped,
            ) -> None:
                dropped[:] = [(args[0], output)]

            def keep(
                module: nn.Module,
                args: tuple[Any, ...],
                kwargs: dict[str, Any],
                name: str = name,
                dropped: list[tuple[Tensor, Tensor]] = dropped,
            ) -> None:
                given = args[0] if args else next(iter(kwargs.values()))
                for before, after in dropped:
                    given = before if given is after else given
                inputs[name] = given

            dropout = getattr(parent, 'dropout', None)
            if isinstance(dropout, nn.Dropout2d | nn.Dropout):
                self._handles.append(dropout.register_forward_hook(drop))
            self._handles.append(
                module.register_forward_pre_hook(keep, with_kwargs=True)
            )
        return inputs

    def check(self, inputs: dict[str, Tensor]) -> None:
        """Raise a ValueError that names a module which was not called."""
        for name in self._modules:
            if name not in inputs:
                raise ValueError(
                    f'feature_from={name!r} was not called while the decode '
                    'head ran: name a module inside the decode head that its '
                    "forward calls, such as 'decode_head.conv_seg'"
                )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove every hook."""
        while self._handles:
            self._handles.pop().remove()


def _find_module(model: nn.Module, name: str) -> tuple[nn.Module, nn.Module]:
    """Return a submodule by path, of the last head in a cascade.

    Beside it comes the module that it is a part of.
    """
    parts = name.split('.')
    module = parent = model
    for index, part in enumerate(parts):
        if isinstance(module, nn.ModuleList) and not part.isdigit():
            module = module[-1]
        child = getattr(module, part, None)
        if not isinstance(child, nn.Module):
            where = '.'.join(parts[:index]) or 'the segmentor'
            known = [child for child, _ in module.named_children()]
            raise ValueError(
                f'feature_from={name!r} names no module: {where} '
                f'({type(module).__name__}) has {", ".join(known)}'
            )
        module, parent = child, module
    return module, parent
