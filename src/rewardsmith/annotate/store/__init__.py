"""The label store: an append-only table of events in SQLite or PostgreSQL, and caches of what follows from it."""

from rewardsmith.annotate.store.events import Event
from rewardsmith.annotate.store.label_store import LabelStore
from rewardsmith.annotate.store.leases import Offer
from rewardsmith.annotate.store.load import open_store
from rewardsmith.annotate.store.people import Session
from rewardsmith.annotate.store.projects import Added

__all__ = ["Added", "Event", "LabelStore", "Offer", "Session", "open_store"]
