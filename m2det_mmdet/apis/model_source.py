"""From what a caller names as a model to its config and its checkpoint."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from ..checkpoints.embedded_config import embedded_config
from ..checkpoints.latest import LAST, states_in
from ..checkpoints.loading import load_with_config
from ..checkpoints.safetensors_files import SUFFIX as SAFETENSORS
from ..checkpoints.sources import Found, check_checkpoint, find_checkpoint
from ..checkpoints.zoo import ENTRIES, SCHEME, find_entry, is_in_zoo, similar_weights
from ..engine.hooks.plain_names_hook import BEST
from ..engine.hooks.safetensors_hook import NAMES as WEIGHTS_ALONE
from ..utils.builds import did_you_mean, did_you_mean_file
from ..utils.configs import (
    DUMP_SUFFIX,
    SUFFIXES,
    config_name,
    describe,
    find_config,
    load_config,
    shipped_configs,
)
from ..utils.errors import M2DetError
from ..utils.exported import is_exported
from ..utils.files import sha256_of
from ..utils.texts import shown
from .exported import exported_config, is_exported_config
from .run_folder import CONFIG

_WEIGHTS = ('.pth', '.pt', SAFETENSORS)
_SHOWN = 5  # runs in a sentence
# Where MMEngine notes the path of the last checkpoint.


class ModelSource(NamedTuple):
    """A detector: its config, and the checkpoint with its weights.

    Attributes:
        cfg: The config, with the caller's settings.
        checkpoint: Path, URL or name of the zoo; or an exported file.
        run: The run folder, where one was named.
    """

    cfg: Config
    checkpoint: str
    run: Path | None

    @property
    def name(self) -> str:
        """Name of the config; of one within a checkpoint that of its run or file."""
        path = Path(self.checkpoint)
        if self.cfg.filename is not None:
            return config_name(self.cfg)
        return path.resolve().parent.name if _is_in_run(path) else path.stem


def find_model(
    model: str | Path | Config,
    checkpoint: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
) -> ModelSource:
    """Find the config and the checkpoint of a model.

    Args:
        model: One of these:

            - a run folder, that of a training; its best checkpoint is taken, else its
              last one;
            - a name of the zoo, which also has a config;
            - a checkpoint, by its path or URL; its config is in it, or that of the zoo
              for a file of the zoo. It is read as data, and nothing of it is run;
            - a file that was exported; the same holds for its config;
            - a config, by its path or name or itself, and ``checkpoint``.

        checkpoint: Path, URL or name of the zoo, where ``model`` is a config, or a run
            folder of which another checkpoint is wanted.
        options: Settings of the config to override, by their dotted keys.

    Raises:
        M2DetError: One sentence on what is missing, with similar names where it is
            neither of these.
    """
    if isinstance(model, Config):
        if checkpoint is None:
            raise _no_checkpoint(describe(model))
        if is_exported(checkpoint) and is_exported_config(model):
            return ModelSource(load_config(model, options), str(checkpoint), None)
        return _checked(load_config(model, options), checkpoint)
    if not isinstance(model, str | Path) or not str(model):
        raise M2DetError(
            f'A model is named by a text, a path or a config, got {shown(model)}.'
        )
    if is_exported(model):
        return _exported(str(model), checkpoint, options)
    folder = Path(os.path.expanduser(model))
    if folder.is_dir():
        cfg = load_config(_config_of_run(folder), options)
        return _checked(cfg, checkpoint or _checkpoint_of_run(folder), folder)
    if checkpoint is None:
        return _alone(str(model), options)
    if _is_checkpoint(str(model)):
        if Path(checkpoint).suffix in SUFFIXES:
            raise M2DetError(
                f'{model} is a checkpoint, and {checkpoint} a config: the config comes '
                'first.'
            )
        raise M2DetError(
            f'{model} and {checkpoint} are two checkpoints: give one of them, or the '
            'config before it.'
        )
    return _checked(load_config(model, options), checkpoint)


def _exported(
    file: str, checkpoint: str | Path | None, options: Mapping[str, Any] | None
) -> ModelSource:
    if checkpoint is not None:
        raise M2DetError(
            f'{file} is an exported detector, which needs no checkpoint: leave out '
            f'{checkpoint}.'
        )
    return ModelSource(exported_config(file, options), file, None)


def _checked(
    cfg: Config, checkpoint: str | Path, run: Path | None = None
) -> ModelSource:
    check_checkpoint(str(checkpoint))
    return ModelSource(cfg, str(checkpoint), run)


def _alone(name: str, options: Mapping[str, Any] | None) -> ModelSource:
    """Find what one name stands for, which is no folder."""
    if not Path(os.path.expanduser(name)).exists() and is_in_zoo(name):
        check_checkpoint(name)
        return _checked(load_config(find_entry(name).config, options), name)
    if _is_checkpoint(name):
        check_checkpoint(name)
        return _checked(load_config(_config_within(name), options), name)
    try:
        config = find_config(name) if '::' not in name else name
    except M2DetError as error:
        # A config is no model by itself: the last to be offered.
        hint = (
            similar_weights(name)
            or did_you_mean_file(Path(name))
            or did_you_mean(name, [*shipped_configs()])
            or 'give a run folder, a checkpoint (.pth) or a name (`m2det zoo`).'
        )
        raise M2DetError(f'There is no model {name}: {hint}') from error
    raise _no_checkpoint(config)


def _is_checkpoint(name: str) -> bool:
    """Whether a name that is not of the zoo means a checkpoint: by its form."""
    if '://' in name:
        return not name.startswith(SCHEME)
    path = Path(os.path.expanduser(name))
    suffix = path.suffix.lower()
    return suffix in _WEIGHTS or (path.is_file() and suffix not in SUFFIXES)


def _is_in_run(checkpoint: Path) -> bool:
    return checkpoint.with_name(CONFIG).is_file()


def _no_checkpoint(config: str | Path) -> M2DetError:
    path = Path(config)
    if path.name == CONFIG and path.is_file():
        return M2DetError(
            f'{path} is the config of a run: name its folder, {path.parent}, or a '
            'checkpoint, too.'
        )
    return M2DetError(
        f'{config} is a config, which has no weights: give a checkpoint, too.'
    )


def _config_within(name: str) -> Config | str:
    """Return the config that a checkpoint holds, or the name of the zoo's for a file.

    Raises:
        CheckpointError: If the checkpoint does not load, or its config must not be
            used.
        M2DetError: If there is none.
    """
    found = find_checkpoint(name)
    if found is None:
        raise M2DetError(f'{name} is no file on this disk: give its config, too.')
    _, text = load_with_config(found.path, 'cpu', source=found.source)
    if text is not None:
        return embedded_config(text, found.source)
    if entry := _entry_of(found):
        return entry
    path = Path(found.path)
    advice = 'give the config that it was trained with, too'
    if _is_in_run(path):
        advice = f'name its run folder, {path.parent}, or give its config, too'
    raise M2DetError(f'The checkpoint {name} holds no config: {advice}.')


def _entry_of(found: Found) -> str | None:
    """Return the config of the zoo's weights that a file is a copy of."""
    size = Path(found.path).stat().st_size
    for entry in ENTRIES.values():
        # The sizes first: reading a file for its digest takes a while.
        if entry.size == size and entry.sha256 == sha256_of(Path(found.path)):
            return entry.config
    return None


def _config_of_run(folder: Path) -> Path:
    """Return the config of a run folder, also of a training without own data.

    Raises:
        M2DetError: If there is none, or which one it is cannot be told.
    """
    if (folder / CONFIG).is_file():
        return folder / CONFIG
    configs = sorted(folder.glob('*.py'))
    dumped = [path for path in configs if path.stem.endswith(DUMP_SUFFIX)]
    found = dumped or configs
    if len(found) == 1:
        return found[0]
    if found:
        names = ', '.join(path.name for path in found)
        raise M2DetError(
            f'{folder} has more than one config ({names}): give one of them and a '
            'checkpoint.'
        )
    if runs := sorted(path.parent.name for path in folder.glob(f'*/{CONFIG}')):
        raise M2DetError(
            f'{folder} is no run, but a folder of runs: name one of them '
            f'({", ".join(runs[:_SHOWN])}{", ..." if len(runs) > _SHOWN else ""}).'
        )
    raise M2DetError(
        f'{folder} is no run: it has no {CONFIG}; name the folder of a training, or a '
        'checkpoint (.pth).'
    )


def _checkpoint_of_run(folder: Path) -> Path:
    """Return the best checkpoint of a run folder, else its last one.

    Raises:
        M2DetError: If there is none.
    """
    for name in (BEST, LAST):
        if (folder / name).is_file():
            return folder / name
    if best := sorted(folder.glob('best_*.pth'), key=lambda x: x.stat().st_mtime):
        return best[-1]
    if states := states_in(folder):
        return states[0]
    for name in WEIGHTS_ALONE:
        if (folder / name).is_file():
            return folder / name
    raise M2DetError(
        f'The run in {folder} has no checkpoint yet (no {BEST}, no {LAST}, no '
        'epoch_*.pth): train it, or give a checkpoint, too.'
    )
