"""What is known of a processor, and of lower precision on it."""

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from m2det_mmdet.utils import processors
from m2det_mmdet.utils.processors import (
    describe_instructions,
    slow_precision,
    warn_if_slow,
)

CPU = torch.device('cpu')
X86 = ('avx2', 'fma3')
Processor = Callable[..., None]


@pytest.fixture
def processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Processor:
    """Make the processor another one, as PyTorch or as Linux tells."""
    info = tmp_path / 'cpuinfo'
    monkeypatch.setattr(processors, '_CPU_INFO', info)

    def install(kind: str, *names: str, by_linux: bool = False) -> None:
        monkeypatch.setattr('platform.machine', lambda: kind)
        key = 'flags' if kind == 'x86_64' else 'Features'
        listed = f'{key}\t\t: {" ".join(names)}\n' if by_linux else ''
        info.write_text(f'model name\t: Abacus 3000\n{listed}{listed}')
        if by_linux:
            monkeypatch.delattr('torch.cpu.get_capabilities', raising=False)
        else:
            told = {'sse4a': False, 'l2_cache_size': 9, **dict.fromkeys(names, True)}
            monkeypatch.setattr(
                'torch.cpu.get_capabilities', lambda: told, raising=False
            )
        monkeypatch.setattr('torch.backends.cpu.get_cpu_capability', lambda: 'AVX2')

    return install


@pytest.mark.parametrize('by_linux', [False, True], ids=['torch', 'linux'])
@pytest.mark.parametrize(
    ('kind', 'names', 'slow'),
    [
        ('x86_64', X86, ['bfloat16', 'float16']),
        ('x86_64', (*X86, 'avx512_bf16'), ['float16']),
        ('x86_64', (*X86, 'amx_bf16', 'amx_fp16'), []),
        ('aarch64', ('asimd', 'neon'), ['bfloat16', 'float16']),
        ('aarch64', ('asimd', 'asimdhp', 'bf16'), []),
        ('ppc64le', ('vsx',), []),
        ('x86_64', (), []),
    ],
)
def test_lower_precision_is_slow_without_its_instructions(
    processor: Processor, kind: str, names: tuple, slow: list[str], by_linux: bool
) -> None:
    if not names and not by_linux:
        pytest.skip('PyTorch always knows some')
    processor(kind, *names, by_linux=by_linux)

    found = [x for x in ('bfloat16', 'float16') if slow_precision(CPU, x)]

    assert found == slow
    assert slow_precision(CPU, 'float32') is None
    assert slow_precision(torch.device('meta'), 'bfloat16') is None


def test_what_is_lacking_is_named_in_the_log(
    processor: Processor, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = []
    monkeypatch.setattr(
        processors, 'print_log', lambda message, **_: logged.append(message)
    )

    for names in (X86, ('avx512_bf16',)):
        processor('x86_64', *names)
        warn_if_slow(CPU, 'bfloat16', 'autocast')

    assert logged == [
        'bfloat16 may take several times as long as float32, because Abacus 3000 has '
        'no instructions for bfloat16 (amx_bf16, avx512_bf16, avx_ne_convert): leave '
        'autocast out.'
    ]


@pytest.mark.parametrize(('major', 'slow'), [(7, True), (8, False)])
def test_a_gpu_that_emulates_bfloat16_is_slow(
    monkeypatch: pytest.MonkeyPatch, major: int, slow: bool
) -> None:
    def is_supported(*, including_emulation: bool) -> bool:
        return including_emulation or major >= 8

    monkeypatch.setattr('torch.cuda.device', lambda device: nullcontext())
    monkeypatch.setattr('torch.cuda.is_bf16_supported', is_supported)
    monkeypatch.setattr('torch.cuda.get_device_name', lambda device: 'Tesla V100')
    device = torch.device('cuda:1')

    lack = slow_precision(device, 'bfloat16')

    assert (lack is not None) == slow
    assert not slow or lack.startswith('Tesla V100 has no bfloat16')
    assert slow_precision(device, 'float16') is None


@pytest.mark.parametrize(
    ('kind', 'names', 'words'),
    [
        ('x86_64', X86, 'AVX2, no bfloat16, no float16'),
        ('x86_64', ('amx_bf16', 'avx512_bf16'), 'AVX2, bfloat16 by amx_bf16 and '),
        ('ppc64le', ('vsx',), 'AVX2'),
    ],
)
def test_instructions_are_told_in_words(
    processor: Processor, kind: str, names: tuple, words: str
) -> None:
    processor(kind, *names)

    assert describe_instructions().startswith(words)
