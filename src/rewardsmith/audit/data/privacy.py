"""Personal data in preferences: a reward model can learn it by heart, and a policy trained on it can say it.

What can be checked is checked (Luhn's digit of cards, ISO 7064 of IBANs, the ranges of addresses), so that years,
versions and sums do not count. Addresses that are reserved for examples are left out. What is found is never shown
whole.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rewardsmith.core.finding import Finding, Severity
from rewardsmith.core.preference import Preference
from rewardsmith.numerics.intervals import wilson

MAX_EXAMPLES = 5
_CONTEXT = 30

_RESERVED_DOMAINS = re.compile(r"(?:^|\.)(?:example|test|invalid|localhost)(?:\.\w+)?$", re.IGNORECASE)
# Names that stand for anyone, and mailboxes that belong to nobody.
_NOBODY = re.compile(
    r"(?:your|my|user|username|name|first|last|email|someone|me|foo|john\.?doe|jane\.?doe|info|support|contact|hello|"
    r"no-?reply|admin|sales|help|git)\b"
)
_TOLL_FREE = re.compile(r"1?8(?:00|33|44|55|66|77|88)\d{7}$")
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AT": 20, "BE": 16, "BG": 22, "BR": 29, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18,
    "EE": 20, "ES": 24, "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IL": 23,
    "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28,
    "PT": 25, "RO": 24, "SA": 24, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26, "UA": 29,
}  # fmt: skip
_FEWEST_KEY_BITS = 3.0


class Kind(NamedTuple):
    """One kind of personal data.

    Attributes:
        name: Its finding is `privacy.<name>`.
        words: As a report names it.
        hint: What a text must hold to be searched: cheap to find, and rare.
        pattern: What may be one.
        check: Whether a match is one.
        limit: Share of the rows beyond which it is reported.
        severity: Of the finding then.
    """

    name: str
    words: str
    hint: re.Pattern[str]
    pattern: re.Pattern[str]
    check: Callable[[str], bool]
    limit: float
    severity: Severity


def is_card(text: str) -> bool:
    """13 to 19 digits that begin as cards do, with Luhn's check digit, and not all the same."""
    digits = re.sub(r"[ -]", "", text)
    if not digits.isdecimal() or not 13 <= len(digits) <= 19 or digits[0] not in "23456" or len(set(digits)) < 4:
        return False
    doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits))]
    return sum(number - 9 * (number > 9) for number in doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """A known country with its length, and 1 as the remainder by 97 (ISO 7064)."""
    compact = text.replace(" ", "").upper()
    if _IBAN_LENGTHS.get(compact[:2]) != len(compact) or not compact.isalnum() or not compact.isascii():
        return False
    turned = compact[4:] + compact[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def is_public_address(text: str) -> bool:
    """An IPv4 address that is routed: no private, reserved or documentation range, and no version number."""
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    # 1.2.3.4 and 8.8.8.8 are what people write for "an address"; below 12 in all parts it is a version number.
    parts = [int(part) for part in text.split(".")]
    return address.is_global and not address.is_multicast and max(parts) >= 20 and len(set(parts)) > 1


def is_email(text: str) -> bool:
    """An address of somebody: no example, and no mailbox such as info@ or git@."""
    local, _, domain = text.partition("@")
    return not _RESERVED_DOMAINS.search(domain) and not _NOBODY.match(local.lower())


def is_phone(text: str) -> bool:
    """8 to 15 digits (E.164), not all alike, and no number of a film (555) and no toll-free line."""
    digits = re.sub(r"\D", "", text)
    if not 8 <= len(digits) <= 15 or len(set(digits)) < 4:
        return False
    is_public = re.search(r"^1?555\d{7}$|555\d{4}$", digits) or _TOLL_FREE.match(digits)
    return not is_public and digits not in "01234567890123456789"


def is_social_number(text: str) -> bool:
    """A US social security number: no area 000, 666 or 9xx, no group 00, no serial 0000, not a well-known sample."""
    area, group, serial = text.split("-")
    is_sample = text in ("123-45-6789", "078-05-1120", "219-09-9999")
    return area not in ("000", "666") and area[0] != "9" and group != "00" and serial != "0000" and not is_sample


def is_key(text: str) -> bool:
    """A token whose characters are as mixed as random ones: at least 3 bits each."""
    body = re.sub(r"^[A-Za-z]+[-_]", "", text)
    counts = Counter(body)
    bits = -sum(count / len(body) * math.log2(count / len(body)) for count in counts.values())
    return bits >= _FEWEST_KEY_BITS and any(character.isdigit() for character in body)


_KEY_START = re.compile(r"sk[-_]|gh[pousr]_|github_pat_|AKIA|AIza|xox[abprs]-|hf_|glpat-|eyJ")
_COUNTRY = re.compile(r"[A-Z]{2}\d{2}")
_LONG_NUMBER = re.compile(r"\d[\d ().-]{6,}\d")
_AT = re.compile("@")
_DOTTED = re.compile(r"\d\.\d+\.\d")

KINDS: tuple[Kind, ...] = (
    Kind(
        "key",
        "keys of programming interfaces",
        _KEY_START,
        re.compile(
            r"(?<![\w-])(?:sk-(?:proj-|ant-)?[\w-]{20,}|gh[pousr]_\w{30,}|github_pat_\w{30,}|AKIA[A-Z0-9]{16}|"
            r"AIza[\w-]{35}|xox[abprs]-[\w-]{10,}|hf_[A-Za-z0-9]{30,}|glpat-[\w-]{20,}|sk_live_\w{20,}|"
            r"eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,})(?![\w-])"
        ),
        is_key,
        0.0,
        "critical",
    ),
    Kind(
        "iban",
        "bank accounts (IBAN)",
        _COUNTRY,
        re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}(?!\w)"),
        is_iban,
        0.0,
        "critical",
    ),
    Kind(
        "card",
        "card numbers",
        _LONG_NUMBER,
        re.compile(r"(?<![\w.,-])\d(?:[ -]?\d){12,18}(?![\w-]|[.,]\d)"),
        is_card,
        0.0,
        "critical",
    ),
    Kind(
        "ssn",
        "US social security numbers",
        _LONG_NUMBER,
        re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"),
        is_social_number,
        0.0,
        "critical",
    ),
    Kind(
        "email",
        "e-mail addresses",
        _AT,
        re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,4}[A-Za-z]{2,24}\b"),
        is_email,
        0.001,
        "warning",
    ),
    Kind(
        "phone",
        "phone numbers",
        _LONG_NUMBER,
        re.compile(
            r"(?<![\w.+/$€£#=-])(?<!\d )(?:"
            r"\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}"
            r"|\(\d{3}\) ?\d{3}[ .-]\d{4}"
            r"|(?:1[ .-])?[2-9]\d{2}([.-])[2-9]\d{2}\1\d{4}"
            r")(?![\w/=-]|\.\d| ?[-+*/=×] ?\d)"
        ),
        is_phone,
        0.001,
        "warning",
    ),
    Kind(
        "ipv4",
        "internet addresses (IPv4)",
        _DOTTED,
        re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)"),
        is_public_address,
        0.001,
        "warning",
    ),
)
"""Every kind that is looked for; what one of them took is no other one."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Personal data of one kind.

    Attributes:
        kind: Its name.
        rows: Preferences looked at.
        hit_rows: How many of them hold some.
        values: Number of distinct values.
        examples: A few, with their surroundings, the value masked.
    """

    kind: str
    rows: int
    hit_rows: int
    values: int
    examples: tuple[str, ...]


@dataclass
class _Tally:
    rows: int = 0
    values: set[str] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)


class Found(NamedTuple):
    """One place of a text.

    Attributes:
        kind: Name of the kind.
        value: What stands there.
        example: Its surroundings, with all personal data in them masked.
    """

    kind: str
    value: str
    example: str


def find_personal_data(preferences: Iterable[Preference]) -> tuple[Exposure, ...]:
    """What stands in prompts and responses, by kind. A text that several preferences share is read once."""
    tallies = {kind.name: _Tally() for kind in KINDS}
    known: dict[str, tuple[Found, ...]] = {}
    rows = 0
    for preference in preferences:
        rows += 1
        hit: set[str] = set()
        for text in _texts(preference):
            if text not in known:
                known[text] = tuple(find_in(text))
            for found in known[text]:
                hit.add(found.kind)
                _count(tallies[found.kind], found)
        for name in hit:
            tallies[name].rows += 1
    return tuple(
        Exposure(name, rows, tally.rows, len(tally.values), tuple(tally.examples)) for name, tally in tallies.items()
    )


def find_in(text: str) -> Iterator[Found]:
    """The personal data of one text, in order."""
    spans = sorted(_spans(text))
    if not spans:
        return
    masked, places, end = "", [], 0
    for start, stop, name in spans:
        masked += text[end:start]
        places.append(len(masked))
        masked += f"‹{name} {text[start]}…›"
        end = stop
    masked += text[end:]
    for (start, stop, name), place in zip(spans, places, strict=True):
        window = masked[max(0, place - _CONTEXT) : masked.index("›", place) + _CONTEXT]
        yield Found(name, text[start:stop], " ".join(window.split()))


def privacy_findings(exposures: Sequence[Exposure]) -> list[Finding]:
    """`privacy.<kind>`: the share of the preferences that hold some."""
    return [_finding(exposure) for exposure in exposures]


def _finding(exposure: Exposure) -> Finding:
    kind = next(kind for kind in KINDS if kind.name == exposure.kind)
    share = wilson(exposure.hit_rows, exposure.rows)
    name = f"privacy.{kind.name}"
    if not exposure.hit_rows:
        return Finding(name, share, "info", f"No {kind.words} found.", kind.limit, unit="share")
    summary = f"{exposure.values} distinct {kind.words} in {exposure.hit_rows} of {exposure.rows} preferences."
    if share.value <= kind.limit:
        return Finding(name, share, "info", summary, kind.limit, exposure.examples, unit="share")
    advice = "Look at them, and remove or replace what belongs to a person before the model is shared."
    return Finding(name, share, kind.severity, f"{summary} {advice}", kind.limit, exposure.examples, unit="share")


def _count(tally: _Tally, found: Found) -> None:
    if found.value not in tally.values:
        tally.values.add(found.value)
        if len(tally.examples) < MAX_EXAMPLES:
            tally.examples.append(found.example)


def _spans(text: str) -> list[tuple[int, int, str]]:
    taken: list[tuple[int, int, str]] = []
    for kind in KINDS:
        if not kind.hint.search(text):
            continue
        for match in kind.pattern.finditer(text):
            start, stop = match.span()
            is_free = all(stop <= other or start >= end for other, end, _ in taken)
            if is_free and kind.check(match[0]):
                taken.append((start, stop, kind.name))
    return taken


def _texts(preference: Preference) -> Iterator[str]:
    for conversation in (preference.prompt, *preference.responses):
        for _, content in conversation:
            yield content
