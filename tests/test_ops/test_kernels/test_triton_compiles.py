"""Triton's interpreter takes what its compiler may not: compile for a GPU, without one.

In a process of its own, because the interpreter, which other tests use, replaces the
compiler for a whole process. It imports the operators without the rest of the package,
which takes longer than to compile them.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import m2det_mmdet

pytest.importorskip('triton')

PROGRAM = """
import sys
from types import ModuleType

package = ModuleType('m2det_mmdet')
package.__path__ = [sys.argv[1]]
sys.modules['m2det_mmdet'] = package

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from m2det_mmdet.ops.kernels import picks_triton

TYPES = {
    'boxes': '*fp32', 'scores': '*fp32', 'current': '*fp32', 'final': '*fp32',
    'members': '*i32', 'rows': '*i64', 'starts': '*i64', 'lengths': '*i64',
    'outs': '*i64', 'iou_threshold': 'fp32', 'sigma': 'fp32', 'min_score': 'fp32',
    'offset': 'fp32', 'score_thr': 'fp32',
}

def compile_kernel(kernel, types=TYPES, **constants):
    names = kernel.arg_names
    signature = {name: types.get(name, 'i32') for name in names}
    signature.update(dict.fromkeys(constants, 'constexpr'))
    places = {(names.index(name),): value for name, value in constants.items()}
    source = ASTSource(fn=kernel, signature=signature, constexprs=places)
    compiled = triton.compile(source, target=GPUTarget('cuda', 80, 32))
    assert '.entry' in compiled.asm['ptx']

for original in (False, True):
    compile_kernel(picks_triton._gather_kernel, ORIGINAL=original, BLOCK=512)
    for method in range(3):
        for members in ('*i32', '*i64'):
            compile_kernel(
                picks_triton._pick_kernel,
                {**TYPES, 'members': members},
                METHOD=method, ORIGINAL=original, BLOCK=512,
            )
print('all compiled')
"""


def test_the_kernels_compile_for_a_gpu() -> None:
    environment = {k: v for k, v in os.environ.items() if k != 'TRITON_INTERPRET'}
    folder = Path(m2det_mmdet.__file__).parent
    result = subprocess.run(
        [sys.executable, '-c', PROGRAM, str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.stdout.strip().endswith('all compiled'), result.stderr[-2000:]
