"""All checks, in their order."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from .findings import ELSE_REPORT, Finding, State
from .packages import PACKAGES, REBUILD_MMCV, broken


@dataclass(frozen=True)
class Check:
    """A function that looks at a part of an installation, and yields findings.

    Attributes:
        topic: The part.
        name: A name for it; that of its finding if there is no other.
        module: Module of this package that has the function.
        function: Its name.
        arguments: Its arguments, plain data.
        needs: Names of checks that must not have failed.
        uses: Names of checks that must not have ended their process.
        broken: How the installation is where this one ends its process or hangs.
        fix: What to do then.
        on_death: Returns the finding on that from what happened, in the place of one
            with ``fix``.
    """

    topic: str
    name: str
    module: str
    function: str
    arguments: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    broken: State = State.PROBLEM
    fix: str = ELSE_REPORT
    on_death: Callable[[str], Finding] | None = None

    def died(self, how: str) -> Finding:
        """Return the finding that the check ended its process, or did not end."""
        if self.on_death is not None:
            return self.on_death(how)
        return Finding(self.name, self.broken, how, self.fix)


def _imports() -> Iterator[Check]:
    for package in PACKAGES.values():
        yield Check(
            'Packages',
            package.name,
            'imports',
            'check_import',
            (package.name,),
            needs=package.needs,
            on_death=partial(broken, package),
        )


CHECKS = (
    Check('Installation', 'Python', 'framework', 'check_python'),
    Check('Installation', 'm2det', 'command', 'check_m2det'),
    Check('Installation', 'command m2det', 'command', 'check_command'),
    Check('Installation', 'command mim', 'command', 'check_mim'),
    # Before any package is imported, since some set such variables.
    Check('Environment', 'variables', 'variables', 'check_variables'),
    Check('Disk', 'working folder', 'folders', 'check_working_folder'),
    Check('Disk', 'temporary files', 'folders', 'check_temporary_folder'),
    Check('Disk', 'downloads', 'folders', 'check_cache'),
    Check('Disk', 'shared memory', 'folders', 'check_shared_memory'),
    Check('Packages', 'line of MMDetection', 'framework', 'check_line'),
    Check('Packages', 'files of MMDetection', 'framework', 'check_files'),
    *_imports(),
    Check(
        'Packages',
        'registration',
        'imports',
        'check_registration',
        needs=('line of MMDetection', 'MMDetection', 'pycocotools', 'safetensors'),
        broken=State.STOP,
    ),
    Check('Packages', 'configs', 'imports', 'check_configs', needs=('MMEngine',)),
    Check(
        'Operators',
        'NMS by PyTorch',
        'operators',
        'check_portable',
        needs=('PyTorch',),
    ),
    Check(
        'Operators',
        'NMS by numba',
        'operators',
        'check_numba',
        needs=('PyTorch', 'NumPy', 'numba'),
    ),
    Check(
        'Operators',
        'NMS by Triton',
        'operators',
        'check_triton',
        needs=('PyTorch', 'Triton'),
    ),
    Check(
        'Operators',
        'NMS by mmcv',
        'operators',
        'check_compiled',
        needs=('MMCV',),
        fix=REBUILD_MMCV,
    ),
    Check('Devices', 'processor', 'machine', 'check_processors'),
    Check('Devices', 'memory', 'machine', 'check_memory'),
    Check('Devices', 'processor computes', 'devices', 'check_cpu', needs=('PyTorch',)),
    Check('Devices', 'GPU', 'devices', 'check_cuda', needs=('PyTorch',)),
    Check('Devices', 'MPS', 'devices', 'check_mps', needs=('PyTorch',)),
    Check(
        'Detector',
        'detector',
        'detector',
        'check_detector',
        needs=('registration', 'configs'),
        broken=State.STOP,
        uses=('numba', 'NMS by numba', 'Triton', 'NMS by Triton', 'NMS by mmcv', 'GPU'),
    ),
)
