"""What the engine of the conversion has to know of somebody else's network."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import nn

from ..error import ConversionError, Shape

Names = tuple[str, ...]
# A key of the config, what the model has, and what the other network has.
Fixed = tuple[str, Any, Any]
Settings = dict[str, int | bool | str]

COUNTER = 'num_batches_tracked'


class Layer(NamedTuple):
    """A layer under the names of both sides.

    Several names on one side are one layer, or copies that have to be equal.

    Attributes:
        ours: Names that it has here.
        theirs: Names that it has there.
        tensors: Names of its tensors.
        classes: For one that predicts classes, their number for each anchor, of which
            the background is the first there and the last here; else 0.
    """

    ours: Names
    theirs: Names
    tensors: Names = ('weight', 'bias')
    classes: int = 0


class Entry(NamedTuple):
    """A tensor under the names of both sides; ``classes`` as in :class:`Layer`."""

    ours: Names
    theirs: Names
    classes: int


@dataclass(frozen=True)
class Release:
    """Code whose checkpoints are converted.

    Attributes:
        name: What messages call it.
        title: The same in full.
        configs: Names of the configs of its networks.
        sign: How a name begins that only its checkpoints have.
        parts: Types of the model's parts.
        fixed: Yields settings that no name or shape shows.
        layers: Yields the layers of a model for which the release has names.
        settings: Reads a config's settings from shapes under the release's names;
            nothing from those of another network.
        unused: Names in its checkpoints that its network does not use.
        shared: Which layers it uses more than once.
        how_to_share: How a model here does.
    """

    name: str
    title: str
    configs: str
    sign: str
    parts: Mapping[str, tuple[type[nn.Module], ...]]
    fixed: Callable[[nn.Module], Iterator[Fixed]]
    layers: Callable[[nn.Module], Iterator[Layer]]
    settings: Callable[[Mapping[str, Shape]], Settings]
    unused: Names = ()
    shared: str = ''
    how_to_share: str = ''

    def table(self, model: nn.Module) -> list[Entry]:
        """Return the names of each tensor of ``model``.

        Raises:
            ConversionError: If the release has no form for ``model``.
        """
        for part, types in self.parts.items():
            if not isinstance(getattr(model, part, None), types):
                raise ConversionError(
                    f'The {self.name} knows {" or ".join(t.__name__ for t in types)} '
                    f'as model.{part}, got {type(getattr(model, part, None)).__name__}.'
                )
        for setting, given, value in self.fixed(model):
            if given != value:
                raise ConversionError(
                    f"The {self.name}'s network has model.{setting}={value}, got "
                    f'{given}.'
                )
        table = [
            Entry(
                _tensor_names(layer.ours, tensor),
                _tensor_names(layer.theirs, tensor),
                layer.classes,
            )
            for layer in self.layers(model)
            for tensor in layer.tensors
        ]
        unnamed = set(model.state_dict()) ^ {name for row in table for name in row.ours}
        if unnamed:
            raise ConversionError(
                f"The {self.name}'s network cannot be this model: it has no "
                'counterpart of these tensors, or they are absent here.',
                unexpected=unnamed,
                advice=[f'Compare the config with those named {self.configs}.'],
            )
        return table


def num_classes(shapes: Mapping[str, Shape], boxes: str, classes: str) -> Settings:
    """Read the number of classes from the biases that predict them.

    Args:
        shapes: Shapes by name.
        boxes: How the names of the layers that predict boxes begin.
        classes: The same of those that predict classes.
    """
    rows = [
        (shape[0], shapes.get(f'{boxes}{name.removeprefix(classes)}', ()))
        for name, shape in shapes.items()
        if name.startswith(classes) and name.endswith('.bias') and shape
    ]
    # An anchor has four rows for its box, and one more than there are classes.
    counts = {4 * count / shape[0] - 1 for count, shape in rows if any(shape)}
    if len(counts) == 1 and (count := counts.pop()).is_integer():
        return {'model.bbox_head.num_classes': int(count)}
    return {}


def _tensor_names(layers: Names, tensor: str) -> Names:
    return tuple(f'{layer}.{tensor}' for layer in layers)
