"""The config in a checkpoint, of which nothing may run, also when it is built.

MMEngine builds what a ``type`` names, and imports a name that no registry knows: of
``type='os.system'`` it would run a command. mmcv evaluates the ``type`` of an NMS as
Python. Hence each ``type`` has to be in a registry, and what a detector needs neither
to predict nor to be tested is left out: hooks, which write files, and modules to
import.
"""

import sys
from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.registry import (
    DATA_SAMPLERS,
    DATASETS,
    FUNCTIONS,
    LOOPS,
    METRICS,
    MODELS,
    TASK_UTILS,
    TRANSFORMS,
    WEIGHT_INITIALIZERS,
    Registry,
)

from ..utils.texts import one_line, shown
from .config_text import read_config_text
from .errors import CheckpointError, Refusal
from .pretrained import without_pretrained

_NETWORK = (MODELS, TASK_UTILS, WEIGHT_INITIALIZERS)
_DATA = (DATASETS, DATA_SAMPLERS, FUNCTIONS, TRANSFORMS)
# What is kept of a config, and where its types are looked up.
_KEPT: dict[str, tuple[Registry, ...]] = {
    'model': _NETWORK,
    'tta_model': _NETWORK,
    'tta_pipeline': (TRANSFORMS,),
    'test_dataloader': _DATA,
    'test_evaluator': (METRICS,),
    'test_cfg': (LOOPS,),
    'val_dataloader': _DATA,
    'val_evaluator': (METRICS,),
    'val_cfg': (LOOPS,),
    'default_scope': (),
}
# Registered, and yet a way to run or write what a config says: an evaluated text,
# pickles of annotations or weights, functions by name, results at any path.
_REFUSED = (
    'mmdet.models.detectors.d2_wrapper',
    'mmdet.models.mot',
    'mmdet.models.task_modules.tracking',
    'mmdet.models.trackers',
    'mmdet.models.vis',
    'mmdet.datasets.dod',
    'mmdet.datasets.dsdl',
    'mmdet.datasets.openimages',
    'mmdet.datasets.refcoco',
    'mmdet.datasets.transforms.generate_line',
    'mmdet.evaluation.metrics.dump',
    'mmengine.evaluator.metric',
    'mmengine.model.wrappers',
    # A file that a config names.
    'm2det_mmdet.export',
)
# Where a metric or a data set would write.
_OUTPUTS = (
    'outfile_prefix',
    'collect_dir',
    'out_file_path',
    'output_dir',
    'extra_ann_file',
)
# Keys whose value is a function's name, which MMEngine also imports.
_FUNCTIONS = ('collate_fn', 'worker_init_fn')
_LONGEST_KEY = 120
# By the end of a name MMEngine chooses how it reads: of YAML it runs what a tag says.
_RUNNING = {
    'pkl': 'pickle',
    'pickle': 'pickle',
    'npy': 'pickle',
    'npz': 'pickle',
    'yaml': 'YAML file',
    'yml': 'YAML file',
}
# MMEngine writes keys as they are between quotes into configs, which are Python.
_UNQUOTED = frozenset('\'"\\')


def embedded_config(text: str, source: str) -> Config:
    """Return the config of a checkpoint, as far as a detector needs it.

    Args:
        text: The config, as MMEngine writes it into ``meta`` of a checkpoint.
        source: What errors call the checkpoint.

    Returns:
        A config that builds from registered modules alone, and loads no weights.

    Raises:
        CheckpointError: If it is not plain data, builds what is in no registry, reads
            pickles, YAML or addresses, or has no model or no test data.
    """
    try:
        settings = read_config_text(text)
        kept = {key: settings[key] for key in _KEPT if key in settings}
        if not isinstance(kept.get('default_scope', ''), str):
            raise Refusal('its default_scope is no text')
        for key in ('model', 'test_dataloader'):
            if not isinstance(kept.get(key), dict):
                raise Refusal(f'its config has no {key}')
        scopes = {registry.scope for registry in _tree(MODELS)}
        for key, value in kept.items():
            kept[key] = _Section(_KEPT[key], scopes).checked(value, key)
    except (Refusal, RecursionError) as refusal:
        raise CheckpointError(
            f'The config in {source} was not used: {refusal}; give the config that it '
            'was trained with, too.'
        ) from None
    return Config(kept)


class _Section:
    """Checks a part of a config, whose types are of some registries.

    Args:
        registries: The registries of MMEngine, with those of other packages below.
        scopes: The names that stand for packages in a config.
    """

    def __init__(self, registries: tuple[Registry, ...], scopes: set[str]) -> None:
        self._scopes = scopes
        self._known: dict[str, Any] = {}
        for registry in registries:
            for branch in _tree(registry):
                scoped = {
                    f'{branch.scope}.{x}': y for x, y in branch.module_dict.items()
                }
                self._known |= branch.module_dict | scoped
        self._operators = _operators() if MODELS in registries else frozenset()

    def checked(self, value: Any, place: str) -> Any:
        """Return a value without what names weights or outputs.

        Raises:
            Refusal: If a part of it must not be built or read.
        """
        return self._walk(without_pretrained(value), place)

    def _walk(self, value: Any, place: str) -> Any:
        if isinstance(value, dict):
            return {
                key: self._setting(key, inner, one_line(f'{place}.{key}', _LONGEST_KEY))
                for key, inner in value.items()
                if key not in _OUTPUTS
            }
        if isinstance(value, list | tuple):
            items = (self._walk(x, f'{place}.{i}') for i, x in enumerate(value))
            return type(value)(items)
        if isinstance(value, str):
            _check_text(value, place)
        if place.endswith(('default_scope', '_scope_')) and value not in self._scopes:
            raise Refusal(
                f'its {place} {shown(value)} is no package that is known here'
            )
        return value

    def _setting(self, key: str | int, value: Any, place: str) -> Any:
        if not (str(key).isprintable() and _UNQUOTED.isdisjoint(str(key))):
            raise Refusal(f'its {place} is no plain name')
        if key == 'type':
            return self._type(value, place)
        if key in _FUNCTIONS and isinstance(value, str):
            return self._type(value, place)
        return self._walk(value, place)

    def _type(self, name: Any, place: str) -> str:
        """Return the registered name of a type.

        Raises:
            Refusal: If it is in none of the registries, or among those refused.
        """
        found = None
        if isinstance(name, str):
            if name in self._operators:
                return name
            name, found = self._by_name(name)
        if found is None:
            raise Refusal(
                f'its {place} {shown(name)} is no module that is registered here'
            )
        if str(getattr(found, '__module__', '')).startswith(_REFUSED):
            raise Refusal(f'its {place} {name} may not come from a checkpoint')
        return name

    def _by_name(self, path: str) -> tuple[str, Any]:
        """Find a registered class by its name, or that with its module before it."""
        if path in self._known:
            return path, self._known[path]
        module, _, last = path.rpartition('.')
        for name, found in self._known.items():
            is_named = getattr(found, '__name__', '') == last
            # Also as the package of its module gives it; nothing is imported.
            if is_named and vars(sys.modules.get(module, object)).get(last) is found:
                return name, found
        return path, None


def _tree(registry: Registry) -> Iterator[Registry]:
    """Yield a registry and those below it, each of a package."""
    yield registry
    for child in registry.children.values():
        yield from _tree(child)


def _operators() -> frozenset[str]:
    """Names that heads and extractors look up among the operators of mmcv."""
    import mmcv.ops

    return frozenset(mmcv.ops.__all__)


def _check_text(text: str, place: str) -> None:
    """Refuse texts that some reader would fetch, unpickle or run."""
    if '://' in text:
        raise Refusal(f'its {place} is an address, {shown(text)}')
    if kind := _RUNNING.get(text.lower().rpartition('.')[-1]):
        raise Refusal(f'its {place} is a {kind}, {shown(text)}')
