"""What a program calls: one function a command, typed, without any output of its own.

Each returns a result, raises :class:`M2DetError` with one sentence where something is
wrong, and reports progress to a function that the caller gives.
"""

from .. import register

# The command imports the package without it.
register()

from ..analysis.explained import (  # noqa: E402
    DataExplanation,
    Explanation,
    GroupShares,
    HeatExplanation,
)
from ..analysis.level_view import ExplainedObject, FiredAnchor  # noqa: E402
from ..analysis.levels import LevelsError  # noqa: E402
from ..checkpoints.zoo import ZooEntry  # noqa: E402
from ..comparison.report import Comparison  # noqa: E402
from ..datasets.scenes import write_scenes  # noqa: E402
from ..diagnosis import Diagnosis, diagnose  # noqa: E402
from ..engine.hooks import Evaluated, Step  # noqa: E402
from ..export.metadata import Metadata  # noqa: E402
from ..export.verification import Compared  # noqa: E402
from ..utils.errors import M2DetError  # noqa: E402
from ..utils.found_object import FoundObject  # noqa: E402
from .anchor_fitting import FittedAnchors, fit_anchors  # noqa: E402
from .benchmarking import benchmark  # noqa: E402
from .comparison import RunEvent, compare  # noqa: E402
from .conversion import ConvertedCheckpoint, convert  # noqa: E402
from .data_check import DataCheck, check_data  # noqa: E402
from .data_explanation import explain_data  # noqa: E402
from .detector import Detector  # noqa: E402
from .drawing import draw  # noqa: E402
from .evaluation import EvaluationResult, evaluate  # noqa: E402
from .explanation import explain  # noqa: E402
from .exporting import ExportResult, export, inspect_file  # noqa: E402
from .flattening import flatten  # noqa: E402
from .own_data import DataRead  # noqa: E402
from .prediction import predict  # noqa: E402
from .prediction_events import (  # noqa: E402
    ImageDone,
    PredictionResult,
    PredictionStarted,
    Tally,
)
from .predictions import Prediction  # noqa: E402
from .reporting import ReportResult, report  # noqa: E402
from .tabulation import Family, FamilyMember, tabulate  # noqa: E402
from .training import TrainingResult, TrainingStarted, train  # noqa: E402
from .video_events import FrameDone, VideoResult, VideoStarted  # noqa: E402
from .video_prediction import predict_video  # noqa: E402
from .zoo import list_weights, show_weights  # noqa: E402

__all__ = [
    'Compared',
    'Comparison',
    'ConvertedCheckpoint',
    'DataCheck',
    'DataExplanation',
    'DataRead',
    'Detector',
    'Diagnosis',
    'Evaluated',
    'EvaluationResult',
    'ExplainedObject',
    'Explanation',
    'ExportResult',
    'Family',
    'FamilyMember',
    'FiredAnchor',
    'FittedAnchors',
    'FoundObject',
    'FrameDone',
    'GroupShares',
    'HeatExplanation',
    'ImageDone',
    'LevelsError',
    'M2DetError',
    'Metadata',
    'Prediction',
    'PredictionResult',
    'PredictionStarted',
    'ReportResult',
    'RunEvent',
    'Step',
    'Tally',
    'TrainingResult',
    'TrainingStarted',
    'VideoResult',
    'VideoStarted',
    'ZooEntry',
    'benchmark',
    'check_data',
    'compare',
    'convert',
    'diagnose',
    'draw',
    'evaluate',
    'explain',
    'explain_data',
    'export',
    'fit_anchors',
    'flatten',
    'inspect_file',
    'list_weights',
    'predict',
    'predict_video',
    'report',
    'show_weights',
    'tabulate',
    'train',
    'write_scenes',
]
