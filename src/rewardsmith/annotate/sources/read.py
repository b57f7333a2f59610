"""A path → the tasks that it gives to a project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from rewardsmith.annotate.settings import ProjectSettings
from rewardsmith.annotate.sources import rated, samples, stepwise, traffic
from rewardsmith.annotate.sources.labelled import labelled_material
from rewardsmith.annotate.sources.making import content_key, tasks_of
from rewardsmith.annotate.sources.material import Material
from rewardsmith.annotate.sources.outcome import OVER_LIMIT, REPEATED, Found, Left, LeftCounter
from rewardsmith.annotate.sources.settings import AddSettings
from rewardsmith.annotate.tasks import Task
from rewardsmith.core.errors import DataError
from rewardsmith.core.settings import parse_settings
from rewardsmith.preferences.detect import MAX_FIRST_ROWS
from rewardsmith.preferences.layouts import layout_of
from rewardsmith.preferences.load import iter_rows
from rewardsmith.preferences.outcome import RawRow
from rewardsmith.preferences.ratings.reading import RATED_LAYOUTS
from rewardsmith.preferences.settings import SourceSettings

_SUFFIXES = (".gz", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")


def read_tasks(path: str | Path, project: ProjectSettings, *, settings: AddSettings | None = None) -> Found:
    """The tasks of a file, a folder, a hub data set or a built-in set.

    Of tasks that ask the same only the first stays.

    Raises:
        DataError: There is no such source, it cannot be read, or none of its rows gives a task.
        SettingsError: The reading's keys are wrong, or a rating must be named.
    """
    settings = settings or AddSettings()
    kind, material = _material(str(path), project, settings=settings)
    left = LeftCounter()
    tasks: dict[str, Task] = {}
    for task in _tasks(material, project, settings=settings):
        if isinstance(task, Left):
            left.add(task)
        elif (key := content_key(task)) in tasks:
            left.add(Left(REPEATED, detail=f"task {task.id} asks what {tasks[key].id} asks"))
        else:
            tasks[key] = task
    kept = sorted(tasks) if settings.limit is None else sorted(tasks)[: settings.limit]
    if len(kept) < len(tasks):
        left.add(Left(OVER_LIMIT), len(tasks) - len(kept))
    if not kept:
        raise _nothing(path, project, left)
    chosen = set(kept)
    named = _named([task for key, task in tasks.items() if key in chosen])
    return Found(_in_order(named), kind, dict(left.counts), left.first)


def _tasks(
    material: Iterable[Material | Left], project: ProjectSettings, *, settings: AddSettings
) -> Iterator[Task | Left]:
    for each in material:
        if isinstance(each, Left):
            yield each
        else:
            yield from tasks_of(each, project, settings=settings)


def _material(path: str, project: ProjectSettings, *, settings: AddSettings) -> tuple[str, Iterable[Material | Left]]:
    """How the source is read, and what it holds."""
    source = parse_settings(SourceSettings, {**settings.reading, "path": path}, where="reading")
    source = source.model_copy(update={"max_responses": max(source.max_responses, settings.most_responses)})
    name = source.name or _stem(path)
    rows = _rows(source)
    first = next((row.values for row in rows if row.values is not None), None)
    match settings.origin:
        case "traffic":
            return traffic.KIND, traffic.traffic_material(rows, name=name)
        case "samples":
            return samples.KIND, samples.sample_material(rows, name=name)
        case "auto" if traffic.is_traffic(first):
            return traffic.KIND, traffic.traffic_material(rows, name=name)
        case "auto" if samples.is_samples(first):
            return samples.KIND, samples.sample_material(rows, name=name)
        case _:
            return _preferences(rows, source, project=project, settings=settings, first=first)


def _preferences(
    rows: Sequence[RawRow],
    source: SourceSettings,
    *,
    project: ProjectSettings,
    settings: AddSettings,
    first: Mapping[str, Any] | None,
) -> tuple[str, Iterable[Material | Left]]:
    if source.layout is None and stepwise.has_unlabelled_steps(first):
        source = source.model_copy(update={"layout": "steps"})
    elif source.layout is None and rated.is_plain(first):
        return rated.PLAIN, rated.plain_material(rows, name=source.name or _stem(source.path))
    layout = layout_of(islice(rows, MAX_FIRST_ROWS), source)
    source = source.model_copy(update={"layout": layout})
    if layout in stepwise.STEP_LAYOUTS:
        _require_steps(project, source.path)
        return layout, stepwise.step_material(rows, source)
    if layout in RATED_LAYOUTS:
        return layout, rated.rated_material(rows, source)
    return layout, labelled_material(rows, source, with_labels=settings.gold)


def _rows(source: SourceSettings) -> list[RawRow]:
    """All rows: those of a folder's log or samples, where it has any."""
    folder = Path(source.path)
    if not folder.is_dir():
        return list(iter_rows(source))
    files = traffic.traffic_files(folder)
    if not files and (file := samples.samples_file(folder)) is not None:
        files = [file]
    if not files:
        return list(iter_rows(source))
    paths = [source.model_copy(update={"path": str(file)}) for file in files]
    return [row for each in paths for row in iter_rows(each)]


def _named(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """Each with an id of its own: of two rows that have one id and ask different things, the later gets its digest."""
    seen: set[str] = set()
    named = []
    for task in tasks:
        one = replace(task, id=f"{task.id}#{content_key(task)[:8]}") if task.id in seen else task
        seen.add(one.id)
        named.append(one)
    return tuple(named)


def _in_order(tasks: Sequence[Task]) -> tuple[Task, ...]:
    """What says why it is asked and not how soon, as what `refresh` chose, is asked in the order of the file."""
    return tuple(
        replace(task, priority=1 - (place + 1) / (len(tasks) + 1)) if task.why and not task.priority else task
        for place, task in enumerate(tasks)
    )


def _require_steps(project: ProjectSettings, path: str) -> None:
    if project.kind not in ("first_error", "attributes"):
        raise DataError(
            "solutions in steps have nothing to compare them with",
            wanted="a project of kind first_error or attributes",
            got=f"project {project.name} of kind {project.kind}",
            where=path,
            fix="name another project, or a file of pairs",
        )


def _nothing(path: str | Path, project: ProjectSettings, left: LeftCounter) -> DataError:
    reasons = ", ".join(f"{reason} {count}" for reason, count in left.counts.most_common()) or "the source is empty"
    first = next(iter(left.first.values()), None)
    return DataError(
        "no row gives a task",
        wanted=f"something to ask in a project of kind {project.kind}",
        got=reasons + (f" (first: {first.where} {first.detail})" if first else ""),
        where=str(path),
        fix="name another file, or a project of the kind that the file suits",
    )


def _stem(path: str) -> str:
    name = Path(path.rstrip("/")).name.removeprefix("builtin:")
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return name
