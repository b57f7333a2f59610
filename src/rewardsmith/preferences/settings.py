"""Settings of the data stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rewardsmith.core.settings import Settings


class SourceSettings(Settings):
    """One file, folder, built-in set or hub data set."""

    path: str
    """File, `datasets` folder, hub id (`Anthropic/hh-rlhf`) or `builtin:starter`."""

    layout: str | None = None
    """Name of the layout; found from the columns where absent."""

    name: str | None = None
    """Name for per-source figures; the row's own `source` field, else the file's name, where absent."""

    split: str = "train"
    """Hub data only: a `datasets` split expression such as `train[:1%]`."""

    subset: str | None = None
    """Hub data only: configuration name or data folder."""

    rating: str | None = None
    """Rated rows: the attribute to compare by; needed where rows carry more than one. `-name`: lower is better."""

    min_rating_gap: float = Field(default=0.0, ge=0)
    """Rated rows: two responses form a pair only where their ratings differ by at least this (and differ at all)."""

    max_responses: int = Field(default=8, ge=2)
    """K-way rows: at most so many responses of one prompt, picked by hash, since pairs grow with their square."""


class DataSettings(Settings):
    """From sources to a split, checked and tokenised set."""

    sources: tuple[SourceSettings, ...] = (SourceSettings(path="builtin:starter"),)
    """What to read, in order."""

    max_tokens: int = Field(default=512, ge=8)
    """Longest conversation, in tokens of the model's tokenizer, template included."""

    overlength: Literal["drop", "truncate", "raise"] = "drop"
    """What happens to longer ones. `truncate` cuts the prompt from the left, never a response. Of several responses
    one that is too long (with `truncate`: by itself) leaves alone, with its pairs."""

    heldout_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the prompt groups that is held out, by hash of the group."""

    split_salt: str = "rewardsmith"
    """Mixed into the hash; another salt gives another split."""

    ties: Literal["reject", "keep"] = "reject"
    """`keep` hands ties to losses that know them."""

    min_agreement: float = Field(default=0.0, ge=0, le=1)
    """Rows whose share of votes for the majority is below this go to review. 0 sends none."""

    soft_labels: bool = False
    """Use the share of votes as the label's probability, where there are votes."""

    near_duplicate_similarity: float | None = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of word 3-grams at which a training prompt counts as a repeat of a held-out one."""

    complete_sentences: bool = False
    """Keep only rows whose responses all end a sentence."""

    drop_obviously_bad: bool = False
    """Reject rows with a response that is mostly repetition or not text."""

    balance_sources: bool = False
    """Subsample (by hash) so that no source has more preferences than the smallest one."""

    topics: int | None = Field(default=None, ge=2)
    """Subsample so that so many prompt clusters are equally present; off where absent."""

    augment_other_answers: float = Field(default=0.0, ge=0, le=1)
    """Share of the training preferences from which a pair is made: the best response against the best one of another
    prompt. Nobody judged it; it is wrong where a response fits any prompt, as a refusal does."""

    augment_cut_answers: float = Field(default=0.0, ge=0, le=1)
    """Share of the training preferences from which a pair is made: the best response against its own beginning, which
    is always the shorter side. Wrong where the beginning says enough."""

    balance_length: bool = False
    """Weigh the training pairs so that, among those whose lengths differ as much (by powers of two of tokens), the
    longer side wins half of the weight. Off by default: it takes weight from what the raters said."""

    limit: int | None = Field(default=None, ge=1)
    """Keep at most so many preferences (by hash, so that the choice is stable)."""

    @model_validator(mode="after")
    def _cut_answers_are_shorter(self) -> DataSettings:
        if self.balance_length and self.augment_cut_answers:
            raise ValueError("balance_length would undo augment_cut_answers, whose pairs the longer side always wins")
        return self
