"""Size and cost of a family of configs."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import mmengine
from mmengine.config import Config

from ..analysis.attempts import Attempts, Failure
from ..analysis.complexity import Complexity, measure
from ..utils.configs import find_family, load_config
from ..utils.errors import M2DetError, our_errors
from ..utils.logs import quiet_log
from ..utils.tables import ABSENT, to_markdown

_PAGE = """# {title}

Written by `m2det table {family} --out FILE`.

Parameters are in millions, those that modules share counted once. GFLOP are those of
backbone, neck and head for one image, a multiply-add counted as two. The box AP, where
there is such a column, is the one that the authors report; a dash means that no figure
was copied from them.

{tables}
"""
_FAILURES = """
Not counted:

- {failures}
"""


@dataclass(frozen=True)
class FamilyMember:
    """A config of a family, or of another package beside one.

    Attributes:
        name: Name of the config.
        config: What :func:`.load_config` finds it by.
        table: Title of the table that it belongs to; ``None`` without one.
        step: What it adds to the one before; likewise.
        cost: Size and cost; ``None`` if they cannot be counted.
        reported_ap: Box AP that the authors report, as the metafile has it; likewise.
    """

    name: str
    config: str
    table: str | None
    step: str | None
    cost: Complexity | None
    reported_ap: str | None


@dataclass(frozen=True)
class Family:
    """The configs of a folder with a metafile.

    Attributes:
        name: Name of the folder.
        title: Title in the metafile.
        members: In the order of the metafile.
        failures: Configs whose cost cannot be counted, and why.
    """

    name: str
    title: str
    members: list[FamilyMember]
    failures: list[Failure]

    def tables(self) -> str:
        """Return Markdown tables, one for each title, without empty columns."""
        return '\n\n'.join(self._parts())

    def page(self) -> str:
        """Return the tables as a page, with what a reader has to know."""
        page = _PAGE.format(title=self.title, family=self.name, tables=self.tables())
        if self.failures:
            page += _FAILURES.format(failures='\n- '.join(map(str, self.failures)))
        return page

    def _parts(self) -> Iterator[str]:
        for title, group in groupby(self.members, lambda member: member.table):
            if title is not None:
                yield f'## {title}'
            rows = [_row(member) for member in group]
            names = [x for x in rows[0] if any(row[x] != ABSENT for row in rows)]
            yield to_markdown([{name: row[name] for name in names} for row in rows])


@our_errors()
def tabulate(family: str) -> Family:
    """Count what the detectors of a family of configs cost.

    Nothing is downloaded, and a config that does not build leaves the others. Where a
    model's Metadata in the metafile has them, ``Table`` (the table's title), ``Step``
    (what the config adds) and ``Reported box AP`` are taken over. ``Beside`` lists
    configs of mmdet that follow it in the table: each has a ``Config`` (``mmdet::...``)
    and may have the same keys.

    Args:
        family: Folder of configs with a metafile: ``'m2det'``, ``'ablation'``.

    Raises:
        M2DetError: If there is no such family; names those that there are.
    """
    quiet_log()
    metafile = find_family(family)
    content = mmengine.load(metafile)
    attempt = Attempts()
    members = []
    for name, config, facts in _entries(content['Models']):
        cost = attempt(name, partial(_cost, metafile, config))
        members.append(_member(name, config, facts, cost))
    title = content['Collections'][0]['Name']
    return Family(family, title, members, attempt.failures)


def _entries(
    models: list[dict[str, Any]],
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield name, config and facts of each model, and of those beside it."""
    for model in models:
        facts = model.get('Metadata', {})
        yield model['Name'], model['Config'], facts
        for other in facts.get('Beside', []):
            config = other['Config']
            yield Path(config).stem, config, {'Table': facts.get('Table'), **other}


def _cost(metafile: Path, config: str) -> Complexity:
    """Count what a config costs, which a metafile names from its project's root."""
    if '::' in config:
        return measure(load_config(config))
    paths = (root / config for root in metafile.parents)
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise M2DetError(f'{metafile} names {config}, which is not there')
    return measure(Config.fromfile(path))


def _member(
    name: str, config: str, facts: dict[str, Any], cost: Complexity | None
) -> FamilyMember:
    table, step, ap = (
        None if (fact := facts.get(key)) is None else str(fact)
        for key in ('Table', 'Step', 'Reported box AP')
    )
    return FamilyMember(name, config, table, step, cost, ap)


def _row(member: FamilyMember) -> dict[str, str]:
    """Return the cells of a config by the names of their columns."""
    return {
        'config': member.name,
        'step': member.step or ABSENT,
        **_cost_cells(member.cost),
        'reported box AP': member.reported_ap or ABSENT,
    }


def _cost_cells(cost: Complexity | None) -> dict[str, str]:
    names = ('input', 'parameters (M)', 'GFLOP')
    if cost is None:
        return dict.fromkeys(names, ABSENT)
    height, width = cost.input_size
    gflop = cost.flops / 1e9
    cells = (
        f'{width}x{height}',
        f'{cost.parameters / 1e6:.2f}',
        # One decimal, or three digits of what is below ten.
        f'{gflop:.1f}' if gflop >= 10 else f'{gflop:#.3g}',
    )
    return dict(zip(names, cells, strict=True))
