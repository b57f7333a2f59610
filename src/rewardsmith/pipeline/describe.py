"""The data card of a prepared folder, or of any source."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rewardsmith.core.errors import DataError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.preference import Preference
from rewardsmith.core.store import (
    MANIFEST_NAME,
    is_current,
    read_manifest,
    write_json,
    write_text,
    writing_artefact,
)
from rewardsmith.preferences.card import DataCard
from rewardsmith.preferences.card import describe as describe_preferences
from rewardsmith.preferences.reading import Reader
from rewardsmith.preferences.report import repairs_in
from rewardsmith.preferences.settings import DataSettings
from rewardsmith.preferences.store import KIND, load_judged

PAGE_NAME = "card.html"
CARD_KIND = "data-card"

# A fit of the bag of words takes about a second for each two thousand preferences.
_MOST_WITH_FLOORS = 10_000


def describe(settings: DataSettings, out: Path | None = None) -> DataCard:
    """The card of all sources together; `card.html`, `card.md` and `card.json` in `out` where that is given.

    A source that is a preferences artefact is described by its training side, with the counts of its manifest.

    Raises:
        DataError: A source cannot be read, or holds no usable preference.
    """
    card = _card(settings)
    if out is not None:
        _write(card, out)
    return card


def write_card(data: Path, out: Path, *, name: str) -> Path:
    """The card of the preferences artefact `data` as an artefact `out` of its own; returns the path of its page.

    A card that is there and was made of the same data is left as it is. Floors are left out where their fit would take
    more than seconds; the report has them for the held-out side.
    """
    manifest = read_manifest(data, KIND)
    parents = {"data": manifest.digest}
    config = {"name": name, "with_floors": manifest.counts["kept_train"] <= _MOST_WITH_FLOORS}
    if not is_current(out, kind=CARD_KIND, config=config, parents=parents):
        card = _card_of_prepared(data, title=name, with_floors=config["with_floors"])
        with writing_artefact(out, Manifest(kind=CARD_KIND, config=config, parents=parents)) as draft:
            _write(card, draft.folder)
    return out / PAGE_NAME


def _write(card: DataCard, out: Path) -> None:
    write_text(out / PAGE_NAME, card.to_html())
    write_text(out / "card.md", card.to_markdown())
    write_json(out / "card.json", card.to_json())


def _card_of_prepared(folder: Path, *, title: str, with_floors: bool = True) -> DataCard:
    table = load_judged(folder)
    counts = read_manifest(folder, KIND).counts
    return describe_preferences(
        table,
        title=f"{title}: training",
        reasons=counts["reasons"],
        repairs=repairs_in(counts),
        token_lengths=table.lengths,
        with_floors=with_floors,
    )


def _card(settings: DataSettings) -> DataCard:
    title = ", ".join(source.name or Path(source.path).name for source in settings.sources)
    folder = Path(settings.sources[0].path)
    if len(settings.sources) == 1 and (folder / MANIFEST_NAME).is_file():
        return _card_of_prepared(folder, title=title)
    preferences: list[Preference] = []
    reasons: Counter[str] = Counter()
    reader = Reader(settings)
    for judged in reader:
        if isinstance(judged.outcome, Preference):
            preferences.append(judged.outcome)
        else:
            reasons[judged.outcome.reason.value] += 1
    if not preferences:
        raise DataError("no usable preference", got=dict(reasons), where=title, fix="see `rewardsmith data check`")
    return describe_preferences(preferences, title=title, reasons=reasons, repairs=repairs_in(reader.repairs()))
