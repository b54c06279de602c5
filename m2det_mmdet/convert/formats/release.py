"""The description of a foreign network that the conversion needs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import nn

from ..error import ConversionError, Shape

Names = tuple[str, ...]
# A key of the config, the model's value, and the other network's value.
Fixed = tuple[str, Any, Any]
Settings = dict[str, int | bool | str]

COUNTER = 'num_batches_tracked'


class Layer(NamedTuple):
    """A layer under the names of both sides.

    Several names on one side are one layer, or copies that must be equal.

    Attributes:
        ours: Its names in this package.
        theirs: Its names in the other code.
        tensors: Names of its tensors.
        classes: Number of classes per anchor if the layer predicts classes, else 0. The
            background is the first class in the other code and the last one here.
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
        name: Its name in messages.
        title: Its full name in messages.
        configs: Pattern for the names of its configs.
        sign: Prefix of names that only its checkpoints have.
        parts: Types of the model's parts.
        fixed: Yields settings that no name or shape shows.
        layers: Yields the layers of a model, with the release's names.
        settings: Reads a config's settings from shapes by the release's names; an empty
            dict for another network.
        unused: Names in its checkpoints that its network does not use.
        shared: For messages: the layers that it uses more than once.
        how_to_share: For messages: the settings here that share them too.
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
            ConversionError: If the release cannot express ``model``.
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
        boxes: Prefix of the layers that predict boxes.
        classes: Prefix of the layers that predict classes.
    """
    rows = [
        (shape[0], shapes.get(f'{boxes}{name.removeprefix(classes)}', ()))
        for name, shape in shapes.items()
        if name.startswith(classes) and name.endswith('.bias') and shape
    ]
    # An anchor has four rows for its box, and one for each class and the background.
    counts = {4 * count / shape[0] - 1 for count, shape in rows if any(shape)}
    if len(counts) == 1 and (count := counts.pop()).is_integer():
        return {'model.bbox_head.num_classes': int(count)}
    return {}


def _tensor_names(layers: Names, tensor: str) -> Names:
    return tuple(f'{layer}.{tensor}' for layer in layers)
