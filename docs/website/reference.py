"""Pages on what programs call, and on the commands."""

import argparse
import ast
import sys
from importlib import import_module
from pathlib import Path

# Page: title, and the packages whose exports it has.
_PACKAGES = {
    'apis': ('Functions and results', 'm2det_mmdet.apis'),
    'necks': ('Necks and their parts', 'm2det_mmdet.models.necks'),
    'operators': ('Operators', 'm2det_mmdet.ops'),
    'conversion': ('Conversion of checkpoints', 'm2det_mmdet.convert'),
}


def write_reference(root: Path, target: Path) -> None:
    """Write the pages of the reference into a folder."""
    folder = target / 'reference'
    folder.mkdir(parents=True)
    for name, (title, package) in _PACKAGES.items():
        (folder / f'{name}.md').write_text(_exports(root, title, package))
    (folder / 'commands.md').write_text(_commands(root))


def _exports(root: Path, title: str, package: str) -> str:
    """Return a page with all that a package exports, functions first."""
    source = root.joinpath(*package.split('.'), '__init__.py').read_text()
    names = next(
        ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and node.targets[0].id == '__all__'
    )
    lines = [f'# {title}', '', f'What `{package}` exports.', '']
    for name in sorted(names, key=lambda name: (name[0].isupper(), name)):
        lines += [f'::: {package}.{name}', '']
    return '\n'.join(lines)


def _commands(root: Path) -> str:
    """Return a page with the help of each command."""
    sys.path.insert(0, str(root))
    # Without it the package would import MMDetection.
    import m2det_command  # noqa: F401
    from m2det_mmdet.cli import COMMANDS

    lines = ['# Commands', '', 'What `m2det COMMAND --help` prints.', '']
    for name, summary in COMMANDS.items():
        module = import_module(f'm2det_mmdet.cli.{name}')
        parser = argparse.ArgumentParser(
            f'm2det {name}',
            description=module.__doc__,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
                prog, width=80
            ),
        )
        module.add_arguments(parser)
        help_text = parser.format_help().rstrip()
        lines += [f'## m2det {name}', '', f'{summary.capitalize()}.', '']
        lines += ['```text', help_text, '```', '']
    return '\n'.join(lines)
