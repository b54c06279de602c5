"""A detector as a program has it: three lines from a name to boxes."""

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from torch import Tensor

from ..utils.arguments import check_callable, texts_of
from ..utils.devices import find_device
from ..utils.errors import M2DetError, our_errors
from ..utils.logs import quiet_log
from ..utils.texts import one_line
from ..utils.upright import read_upright
from .checks import (
    acceleration_options,
    check_at_least,
    check_test_pipeline,
    make_faster,
)
from .class_choice import ClassChoice
from .detection import detect_together
from .evaluation import EvaluationResult, evaluate
from .exported import use_runtime
from .image_loading import scaling_of, take_reader
from .image_sources import (
    ImageSource,
    SourceImage,
    each_image,
    is_one_image,
    load_source,
    name_of,
)
from .inferencer import build_inferencer, building
from .model_source import find_model
from .predictions import Prediction, to_prediction
from .training import TrainingResult, train

# Gets the name of an image, else its place in the series, and what is wrong with it.
OnError = Callable[[str | int, M2DetError], None]
# Compiling changes state that all networks of a process share.
_compiling = threading.RLock()


class DetInput(NamedTuple):
    """What a network gets.

    Attributes:
        images: ``(1, 3, H, W)``, normalized and filled up.
        metas: Meta information of the image: ``img_shape`` and so on.
    """

    images: Tensor
    metas: list[dict]


class Detector:
    """A trained detector, which is called with images.

    It raises :class:`M2DetError` with one sentence, and prints nothing. Several threads
    may call it: images are loaded at the same time, and the network looks at those of
    one call after the other; the results are those of one thread. A detector that is
    pickled, as for another process, is built anew there from its checkpoint. In a
    process that was forked PyTorch's threads hang: there it raises an error, unless
    PyTorch has one thread only.

    Args:
        model: A run folder, a name (``m2det zoo`` lists them), a checkpoint or an
            exported file; or a config, by its path or name or itself, with
            ``checkpoint``.
        checkpoint: Path, URL or name of a checkpoint, where ``model`` is a config.
        device: ``'cpu'``, ``'cuda'``, ``'cuda:1'``, ...; the best there is by default.
        fast: Whether to fold batch norms and store weights channels last.
        compile: Whether to compile the network.
        autocast: ``'bfloat16'`` or ``'float16'`` inside the network.
        threads: Threads of a CPU that run an exported file.
        provider: What runs an exported file, as of :func:`.open_exported`.
        options: Settings of the config to override, by their dotted keys.

    Attributes:
        classes: Names of the classes, in the order of the labels.
        config: The config.
        checkpoint: The checkpoint: path, URL or name; or the exported file.
        device: Where the network is.
        inferencer: MMDetection's own, which this class calls; it has the model.
        training: What :meth:`train` has left; ``None`` for other detectors.

    Raises:
        M2DetError: One sentence on what is wrong with an argument or a file.
    """

    @our_errors()
    def __init__(
        self,
        model: str | Path | Config,
        checkpoint: str | Path | None = None,
        *,
        device: str | None = None,
        fast: bool = False,
        compile: bool = False,
        autocast: str | None = None,
        threads: int | None = None,
        provider: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        quiet_log()
        if device is not None:
            find_device(device)
        self._how = {
            'device': device,
            'fast': fast,
            'compile': compile,
            'autocast': autocast,
            'threads': threads,
            'provider': provider,
        }
        faster = acceleration_options(fast=fast, compile=compile, autocast=autocast)
        with building:
            self.config, self.checkpoint, _ = find_model(model, checkpoint, options)
            use_runtime(
                self.config,
                self.checkpoint,
                device=device,
                threads=threads,
                provider=provider,
                faster=faster,
            )
            check_test_pipeline(self.config)
            cfg = deepcopy(self.config)
            read = take_reader(cfg)
            self.inferencer = build_inferencer(cfg, self.checkpoint, device)
            if faster:
                make_faster(self.inferencer.model, faster)
        self.classes: tuple[str, ...] = self.inferencer.model.dataset_meta['classes']
        self.device: torch.device = next(self.inferencer.model.parameters()).device
        self.training: TrainingResult | None = None
        self._read = partial(read_upright, read=read)
        self._load = partial(load_source, read=self._read, scale=scaling_of(read))
        self._lock = _compiling if compile else threading.RLock()
        self._process = os.getpid()

    @overload
    def __call__(
        self,
        images: ImageSource,
        *,
        score_thr: float | Mapping[str, float] = ...,
        classes: Sequence[str] | None = ...,
        batch_size: int = ...,
        on_error: OnError | None = ...,
    ) -> Prediction: ...

    @overload
    def __call__(
        self,
        images: Iterable[ImageSource],
        *,
        score_thr: float | Mapping[str, float] = ...,
        classes: Sequence[str] | None = ...,
        batch_size: int = ...,
        on_error: OnError | None = ...,
    ) -> Iterator[Prediction]: ...

    @our_errors()
    def __call__(
        self,
        images: ImageSource | Iterable[ImageSource],
        *,
        score_thr: float | Mapping[str, float] = 0.0,
        classes: Sequence[str] | None = None,
        batch_size: int = 1,
        on_error: OnError | None = None,
    ) -> Prediction | Iterator[Prediction]:
        """Find objects in an image, or in many one after the other.

        Args:
            images: A path, a URL, an array or an image of Pillow: one image. A folder
                (with the folders in it), a pattern (``'a/*.jpg'``), a list or any other
                series of images: many. An array is ``(H, W, 3)``, BGR, as OpenCV reads
                images, or ``(H, W)`` or ``(H, W, 4)``; of bytes, or of 16 bits. Images
                in files and of Pillow are turned as their camera noted.
            score_thr: Lowest score; or lowest scores of single classes, by their names.
            classes: Names of the classes to keep; all by default.
            batch_size: Images that the network looks at together, of many.
            on_error: Gets the name of an image (its place from 0 where it has none) and
                the error, where an image of many cannot be read or looked at; the
                others follow. Without it the error is raised when it is the image's
                turn.

        Returns:
            Of one image the prediction. Of many an iterator, which loads an image when
            it comes to it.

        Raises:
            M2DetError: One sentence on what cannot be read, taken for an image, or
                looked at, and on arguments.
        """
        self._check_process()
        check_at_least('batch_size', batch_size, 1)
        # A class that there is not is told before any image is loaded.
        by_class = isinstance(score_thr, Mapping)
        chosen = None if classes is None else texts_of('classes', classes)
        check_callable('on_error', on_error)
        ClassChoice(
            self.classes,
            0.0 if by_class else score_thr,
            score_thr if by_class else None,
            chosen,
        )
        if is_one_image(images):
            found = self._look([self._load(images)], first_id=1)[0]
            if isinstance(found, M2DetError):
                raise found
            return found.filter(score_thr, chosen)
        many = self._each(each_image(images), batch_size, on_error)
        return (found.filter(score_thr, chosen) for found in many)

    @classmethod
    @our_errors()
    def train(
        cls, data: str | Path, config: str | Path | Config | None = None, **options: Any
    ) -> 'Detector':
        """Train a detector on a folder of your own, and return it.

        Args:
            data: A folder in COCO's, VOC's or YOLO's form, or a ``data.yaml``.
            config: What to train; a small detector on a CPU and a large one on a GPU by
                default.
            options: As of :func:`m2det_mmdet.apis.train`.

        Returns:
            The detector of the best checkpoint, with the result of the training.

        Raises:
            M2DetError: One sentence on what is wrong with the arguments or the data.
        """
        result = train(config, data=data, **options)
        if result.config is None or result.usable_checkpoint is None:
            raise M2DetError(
                f'The training has left no checkpoint in {result.work_dir}: see '
                f'{result.log}.'
            )
        detector = cls(
            result.config, result.usable_checkpoint, device=options.get('device')
        )
        detector.training = result
        return detector

    def evaluate(
        self,
        data: str | Path | None = None,
        *,
        split: str | None = None,
        **options: Any,
    ) -> EvaluationResult:
        """Compute the AP and what else the metrics give.

        Args:
            data: A folder of your own; by default the data of the config.
            split: As of :func:`m2det_mmdet.apis.evaluate`.
            options: As of :func:`m2det_mmdet.apis.evaluate`.

        Raises:
            M2DetError: One sentence on what is wrong with the data; also if they have
                a class that the detector does not know.
        """
        return evaluate(
            self.config,
            self.checkpoint,
            data=data,
            split=split,
            **{**self._how, **options},
        )

    @our_errors()
    def network_input(self, image: ImageSource) -> tuple[np.ndarray, DetInput]:
        """Load an image, and prepare it as calls do.

        Args:
            image: One image, as for calls.

        Returns:
            The image, BGR, ``(H, W, 3)``, and what the network gets of it.

        Raises:
            M2DetError: One sentence on what cannot be read or taken for an image.
        """
        source = self._load(image)
        ((_, data),) = self.inferencer.preprocess([source.image])
        data = self.inferencer.model.data_preprocessor(data, False)
        metas = [sample.metainfo for sample in data['data_samples']]
        return source.image, DetInput(data['inputs'], metas)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._how), (self.config, self.checkpoint)

    def __repr__(self) -> str:
        number = len(self.classes)
        return f'<Detector {self.checkpoint} ({number} classes, {self.device})>'

    def _check_process(self) -> None:
        """Stop where a call would hang, in a process that was forked."""
        uses_threads = self.device.type != 'cpu' or torch.get_num_threads() > 1
        if os.getpid() != self._process and uses_threads:
            raise M2DetError(
                "The detector was made before this process was forked, and PyTorch's "
                'threads do not outlast that: start processes by spawn, or make it in '
                'each.'
            )

    def _each(
        self, images: Iterator[Any], batch_size: int, on_error: OnError | None
    ) -> Iterator[Prediction]:
        """Yield the predictions of many images; arguments as for calls."""
        numbered = enumerate(images)
        while batch := list(islice(numbered, batch_size)):
            loaded = [self._loaded(image) for _, image in batch]
            found = self._look(loaded, first_id=batch[0][0] + 1)
            for (index, image), result in zip(batch, found, strict=True):
                if not isinstance(result, M2DetError):
                    yield result
                elif on_error is None:
                    raise result
                else:
                    on_error(name_of(image, index), result)

    def _loaded(self, image: Any) -> SourceImage | M2DetError:
        try:
            with our_errors():
                return self._load(image)
        except M2DetError as error:
            return error

    def _look(
        self, batch: Sequence[SourceImage | M2DetError], first_id: int
    ) -> list[Prediction | M2DetError]:
        """Look at the images of a batch; errors are passed on in their places."""
        images = [x.image for x in batch if isinstance(x, SourceImage)]
        with self._lock:
            samples = iter(detect_together(self.inferencer, images) if images else ())
        return [
            self._result(source, next(samples), image_id)
            if isinstance(source, SourceImage)
            else source
            for image_id, source in enumerate(batch, start=first_id)
        ]

    def _result(
        self, source: SourceImage, sample: DetDataSample | str, image_id: int
    ) -> Prediction | M2DetError:
        if isinstance(sample, str):
            name = source.path or f'image {image_id}'
            return M2DetError(f'The detector fails with {name} ({one_line(sample)}).')
        return to_prediction(
            sample,
            image_id,
            self.classes,
            path=source.path,
            size=source.image.shape[1::-1],
            held=source.image if source.path is None else None,
            reader=self._read,
        )
