"""The data card of a prepared folder, or of any source."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rewardsmith.core.errors import DataError
from rewardsmith.core.preference import Preference
from rewardsmith.core.store import MANIFEST_NAME, read_manifest, write_json, write_text
from rewardsmith.preferences.card import DataCard
from rewardsmith.preferences.card import describe as describe_preferences
from rewardsmith.preferences.reading import Reader
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.preferences.store import KIND, load_table


def describe(settings: DataSettings, out: Path | None = None) -> DataCard:
    """The card of all sources together; `card.html`, `card.md` and `card.json` in `out` where that is given.

    A source that is a preferences artefact is described by its training side, with the counts of its manifest.

    Raises:
        DataError: A source cannot be read, or holds no usable preference.
    """
    card = _card(settings)
    if out is not None:
        write_text(out / "card.html", card.to_html())
        write_text(out / "card.md", card.to_markdown())
        write_json(out / "card.json", card.to_json())
    return card


def _card(settings: DataSettings) -> DataCard:
    title = ", ".join(source.name or Path(source.path).name for source in settings.sources)
    folder = Path(settings.sources[0].path)
    if len(settings.sources) == 1 and (folder / MANIFEST_NAME).is_file():
        table = load_table(folder, "train")
        reasons = read_manifest(folder, KIND).counts["reasons"]
        return describe_preferences(table, title=f"{title}: training", reasons=reasons, token_lengths=table.lengths)
    preferences: list[Preference] = []
    reasons: Counter[str] = Counter()
    for judged in Reader(settings):
        if isinstance(judged.outcome, Preference):
            preferences.append(judged.outcome)
        else:
            reasons[judged.outcome.reason.value] += 1
    if not preferences:
        raise DataError("no usable preference", got=dict(reasons), where=title, fix="see `rewardsmith data check`")
    return describe_preferences(preferences, title=title, reasons=reasons)
