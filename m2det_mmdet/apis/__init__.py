"""What a program calls: one function a command, typed, without any output of its own.

Each returns a result, raises :class:`M2DetError` with one sentence where something is
wrong, and reports progress to a function that the caller gives.
"""

from ..comparison.report import Comparison
from ..datasets.scenes import write_scenes
from ..engine.hooks import Evaluated, Step
from ..utils.errors import M2DetError
from .benchmarking import benchmark
from .comparison import RunEvent, compare
from .conversion import ConvertedCheckpoint, convert
from .drawing import draw
from .evaluation import EvaluationResult, evaluate
from .prediction import ImageDone, Prediction, PredictionResult, predict
from .tabulation import Family, FamilyMember, tabulate
from .training import TrainingResult, TrainingStarted, train

__all__ = [
    'Comparison',
    'ConvertedCheckpoint',
    'Evaluated',
    'EvaluationResult',
    'Family',
    'FamilyMember',
    'ImageDone',
    'M2DetError',
    'Prediction',
    'PredictionResult',
    'RunEvent',
    'Step',
    'TrainingResult',
    'TrainingStarted',
    'benchmark',
    'compare',
    'convert',
    'draw',
    'evaluate',
    'predict',
    'tabulate',
    'train',
    'write_scenes',
]
