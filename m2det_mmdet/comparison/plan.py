"""What a comparison is to do: a config with data and budget for each run, checked."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from ..analysis.structure import structure_of
from ..datasets.layouts import DataLayout
from ..engine.data_workers import fit_to_workers
from ..recipes.data import (
    DataFiles,
    annotation_files,
    check_metric,
    count_images,
    known_classes,
    repetitions,
    use_data,
)
from ..recipes.error import RecipeError
from ..recipes.schedule import (
    epoch_length,
    set_epochs,
    set_minutes,
    without_validation,
)
from ..utils.configs import load_config
from ..utils.errors import M2DetError, explain
from .identity import Digests, data_identity
from .run import Run
from .settings import settings_of

_IMPORT = 'm2det_mmdet'


@dataclass(frozen=True)
class Plan:
    """What a run is to do.

    Args:
        cfg: The config that is trained.
        settings: What its result depends on.
        remarks: How the schedule was scaled, in words.
    """

    cfg: Config
    settings: dict[str, Any]
    remarks: list[str]


@dataclass(frozen=True)
class Terms:
    """What all detectors of a comparison have in common.

    Args:
        out: Folder of the results.
        epochs: Epochs that each is trained; or
        minutes: Minutes that each is trained.
        seeds: Each config is trained with each.
        batch_size: Images a batch; each config's own by default.
        workers: Loading processes; each config's own by default.
    """

    out: Path
    epochs: int | None = None
    minutes: float | None = None
    seeds: tuple[int, ...] = (0,)
    batch_size: int | None = None
    workers: int | None = None

    def budget(self) -> str:
        """Return what each may take, in words."""
        if self.epochs is None:
            return f'{self.minutes:g} minutes'
        return f'{self.epochs} epochs' if self.epochs > 1 else '1 epoch'


def load_configs(
    names: Sequence[str], options: Mapping[str, Any] | None
) -> dict[str, Config]:
    """Load the configs, by the stems of their names.

    Raises:
        M2DetError: If one does not load, has no detector or one that does not build, or
            shares its name.
    """
    configs: dict[str, Config] = {}
    for name in names:
        cfg = _load_one(name, options)
        for key in ('model', 'train_dataloader', 'test_dataloader'):
            if cfg.get(key) is None:
                raise M2DetError(f'{name} has no {key}: give the config of a detector.')
        stem = Path(cfg.filename).stem
        if stem in configs and configs[stem].filename == cfg.filename:
            raise M2DetError(f'{stem} is named twice: name it once.')
        if stem in configs:
            raise M2DetError(
                f'Two configs are named {stem} ({configs[stem].filename} and '
                f'{cfg.filename}): their results would share a folder; rename one.'
            )
        # Fail on a typing error now, not after hours of training.
        structure_of(cfg)
        configs[stem] = cfg
    return configs


def _load_one(name: str, options: Mapping[str, Any] | None) -> Config:
    cfg = load_config(name, options)
    if not isinstance((cfg.get('model') or {}).get('type', ''), str):
        raise M2DetError(
            f'{name} names its modules by Python classes, of which a comparison cannot '
            'write a config: give one whose types are strings.'
        )
    return cfg


def check_same_data(configs: dict[str, Config]) -> None:
    """Check that configs name the same images and classes, as often in an epoch.

    Raises:
        M2DetError: If two of them differ.
    """
    found = {}
    for name, cfg in configs.items():
        init_default_scope(cfg.get('default_scope', 'mmdet'))
        found[name] = {'they repeat images by': repetitions(cfg)}
        for key in ('train', 'test'):
            found[name][f'to {key} they read'] = annotation_files(cfg, key)
            found[name][f'to {key} they know the classes'] = known_classes(cfg, key)
    first, *others = found
    for other in others:
        for what, mine in found[first].items():
            its = found[other][what]
            if mine != its:
                mine, its = (', '.join(x) or 'nothing' for x in (mine, its))
                raise M2DetError(
                    f'{first} and {other} have different data: {what} {mine} and '
                    f'{its}; give --data.'
                )


def plan_runs(
    terms: Terms, configs: dict[str, Config], layout: DataLayout | None
) -> dict[Run, Plan | str]:
    """Return the plan of each run, or why there is none; seed by seed."""
    amended: dict[str, dict[int, Plan | str]] = {}
    known: dict[DataFiles, Digests] = {}
    for name, cfg in configs.items():
        try:
            cfg, remarks = _amend(cfg, terms, layout)
            data = data_identity(cfg, known)
            amended[name] = {
                seed: _seeded(cfg, seed, data, remarks) for seed in terms.seeds
            }
        except RecipeError as error:
            amended[name] = dict.fromkeys(terms.seeds, str(error))
        except Exception as error:  # What configs hold that nobody thought of.
            reason = f'The config cannot be prepared: {explain(error)}'
            amended[name] = dict.fromkeys(terms.seeds, reason)
    return {
        Run(name, seed, terms.out / name / f'seed_{seed}'): plans[seed]
        for seed in terms.seeds
        for name, plans in amended.items()
    }


def _seeded(
    cfg: Config, seed: int, data: Mapping[str, Any], remarks: list[str]
) -> Plan:
    cfg = deepcopy(cfg)
    cfg.randomness = ConfigDict({**(cfg.get('randomness') or {}), 'seed': seed})
    return Plan(cfg, settings_of(cfg, data), remarks)


def _amend(
    cfg: Config, terms: Terms, layout: DataLayout | None
) -> tuple[Config, list[str]]:
    """Return a config with the data, the budget and the hooks of a comparison.

    And how the budget changed its schedule, in words.

    Raises:
        RecipeError: If the config cannot be compared so.
    """
    cfg = deepcopy(cfg)
    # Its data sets and metrics may be this package's.
    imports = (cfg.get('custom_imports') or {}).get('imports', [])
    imports = [imports] if isinstance(imports, str) else list(imports)
    cfg.custom_imports = ConfigDict(
        imports=list(dict.fromkeys([*imports, _IMPORT])), allow_failed_imports=False
    )
    without_validation(cfg)
    if layout is not None:
        use_data(cfg, layout)
    else:
        check_metric(cfg)
    # Faults of the test data show before the training.
    count_images(cfg, 'test')
    _set_loaders(cfg, terms.batch_size, terms.workers)
    hooks = list(cfg.get('custom_hooks') or [])
    if all(hook.get('type') != 'FiniteLossHook' for hook in hooks):
        hooks.append(ConfigDict(type='FiniteLossHook'))
    cfg.custom_hooks = hooks
    checkpoint = ConfigDict(type='CheckpointHook', interval=1, max_keep_ckpts=2)
    default_hooks = cfg.get('default_hooks') or {}
    cfg.default_hooks = ConfigDict({**default_hooks, 'checkpoint': checkpoint})
    if terms.minutes is None:
        cfg.custom_hooks.append(ConfigDict(type='TrainingCostHook'))
        return cfg, set_epochs(cfg, terms.epochs, epoch_length(cfg))
    epoch_length(cfg)
    return cfg, set_minutes(cfg, terms.minutes)


def _set_loaders(cfg: Config, batch_size: int | None, workers: int | None) -> None:
    if batch_size is not None:
        cfg.train_dataloader.batch_size = batch_size
    if workers is None:
        return
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.num_workers = workers
        loader.persistent_workers = workers > 0
        fit_to_workers(loader)
