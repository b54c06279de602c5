"""Write the weights of a checkpoint as a file that the package can hold.

python tools/embed_weights.py CHECKPOINT OUT.safetensors

Floating point numbers become float16; of everything else only the names and colours of
the classes are kept. The size and the SHA-256 that are printed belong to the entry in
``m2det_mmdet/checkpoints/zoo/entries.py``.
"""

import argparse
import sys
from pathlib import Path

import torch

import m2det_command  # noqa: F401
from m2det_mmdet import register


def main() -> None:
    """Convert the file that the arguments name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', help='checkpoint of MMEngine')
    parser.add_argument('out', type=Path, help='file to write, NAME.safetensors')
    args = parser.parse_args()
    register()
    from m2det_mmdet.checkpoints import load_safely, state_dict_of
    from m2det_mmdet.checkpoints.download import sha256_of
    from m2det_mmdet.checkpoints.safetensors_files import write_safetensors
    from m2det_mmdet.checkpoints.weights import tensors_of

    checkpoint = load_safely(args.checkpoint, 'cpu')
    meta = checkpoint.get('meta', {}).get('dataset_meta', {})
    kept = {key: meta[key] for key in ('classes', 'palette') if key in meta}
    weights = tensors_of(state_dict_of(checkpoint))
    write_safetensors(args.out, weights, kept, dtype=torch.float16)
    print(f'size={args.out.stat().st_size:_},')
    print(f"sha256='{sha256_of(args.out)}',")


if __name__ == '__main__':
    sys.exit(main())
