"""Size and cost of a family of configs."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import mmengine
from mmengine.config import Config

from ..analysis.complexity import Complexity, measure
from ..utils.configs import find_family
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


@dataclass(frozen=True)
class FamilyMember:
    """A config of a family.

    Attributes:
        name: Name of the config.
        table: Title of the table that it belongs to; ``None`` without one.
        step: What it adds to the one before; likewise.
        cost: Size and cost.
        reported_ap: Box AP that the authors report, as the metafile has it; likewise.
    """

    name: str
    table: str | None
    step: str | None
    cost: Complexity
    reported_ap: str | None


@dataclass(frozen=True)
class Family:
    """The configs of a folder with a metafile.

    Attributes:
        name: Name of the folder.
        title: Title in the metafile.
        members: In the order of the metafile.
    """

    name: str
    title: str
    members: list[FamilyMember]

    def tables(self) -> str:
        """Return Markdown tables, one for each title, without empty columns."""
        return '\n\n'.join(self._parts())

    def page(self) -> str:
        """Return the tables as a page, with what a reader has to know."""
        return _PAGE.format(title=self.title, family=self.name, tables=self.tables())

    def _parts(self) -> Iterator[str]:
        for title, group in groupby(self.members, lambda member: member.table):
            if title is not None:
                yield f'## {title}'
            rows = [_row(member) for member in group]
            names = [x for x in rows[0] if any(row[x] != ABSENT for row in rows)]
            yield to_markdown([{name: row[name] for name in names} for row in rows])


def tabulate(family: str) -> Family:
    """Count what the detectors of a family of configs cost.

    Nothing is downloaded. Where a model's Metadata in the metafile has them, ``Table``
    (the table's title), ``Step`` (what the config adds) and ``Reported box AP`` are
    taken over.

    Args:
        family: Folder of configs with a metafile: ``'m2det'``, ``'ablation'``.

    Raises:
        M2DetError: If there is no such family; names those that there are.
    """
    quiet_log()
    metafile = find_family(family)
    content = mmengine.load(metafile)
    members = [_member(metafile, model) for model in content['Models']]
    return Family(family, content['Collections'][0]['Name'], members)


def _member(metafile: Path, model: dict[str, Any]) -> FamilyMember:
    # A metafile names configs from the root of its project.
    path = next(
        root / model['Config']
        for root in metafile.parents
        if (root / model['Config']).is_file()
    )
    facts = model.get('Metadata', {})
    table, step, ap = (
        None if (fact := facts.get(key)) is None else str(fact)
        for key in ('Table', 'Step', 'Reported box AP')
    )
    return FamilyMember(model['Name'], table, step, measure(Config.fromfile(path)), ap)


def _row(member: FamilyMember) -> dict[str, str]:
    """Return the cells of a config by the names of their columns."""
    height, width = member.cost.input_size
    gflop = member.cost.flops / 1e9
    return {
        'config': member.name,
        'step': member.step or ABSENT,
        'input': f'{width}x{height}',
        'parameters (M)': f'{member.cost.parameters / 1e6:.2f}',
        # One decimal, or three digits of what is below ten.
        'GFLOP': f'{gflop:.1f}' if gflop >= 10 else f'{gflop:#.3g}',
        'reported box AP': member.reported_ap or ABSENT,
    }
