"""Personal data: what is found, and what only looks like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.audit.planted import simple

from rewardsmith.audit.data.privacy import (
    KINDS,
    find_in,
    find_personal_data,
    is_card,
    is_iban,
    is_public_address,
    privacy_findings,
)

FOUND = {
    "email": ["ada.lovelace@mail.org", "x+y@sub.domain.co.uk"],
    "phone": [
        "+44 20 7946 0958",
        "(415) 867-5309",
        "415-867-5309",
        "415.867.5309",
        "+14158675309",
        "+49 (0) 30 901820",
    ],
    "card": ["4539 1488 0343 6467", "5425-2334-3010-9903", "378282246310005", "6011000990139424"],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432", "FR14 2004 1010 0505 0001 3M02 606"],
    "ipv4": ["93.184.216.34", "151.101.1.69"],
    "ssn": ["859-56-0028"],
    "key": [
        "sk-proj-a8Zk3LmQ92xTb7WvY1cD",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "AKIAIOSFODNN7EXAMPL3",
        "hf_aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA2b",
    ],
}
NOT_FOUND = [
    "In 1914-1918 and 1939-1945, and on 2024-05-17 at 12:30:45.",
    "Version 1.2.3.4 or 10.15.7.1, Python 3.11.9, section 4.1.2.3",
    "12345678 + 87654321 = 99999999, and 100 +20345678 is 20345778",
    "3.14159265358979323846 and 1,234,567,890,123,456",
    "192.168.0.1, 127.0.0.1, 10.0.0.20, 203.0.113.77 and 300.1.1.1",
    "4539 1488 0343 6468 has a wrong check digit, 4111 1111 1111 1111 is for tests, 0000 0000 0000 0000 no card",
    "DE88 3704 0044 0532 0130 00 has a wrong check, ZZ89 3704 0044 0532 0130 00 no country",
    "Write to you@example.com, user@test.org, info@shop.com or git@github.com",
    "Call 555-867-5309 or 800-273-8255 or 1-800-273-8255 or 123-456-7890",
    "000-12-3456, 666-12-3456, 912-34-5678, 123-45-6789, 859-00-0028 and 859-56-0000",
    "ISBN 978-3-16-148410-0, 2-4-6-8-10, 20-30-4050, 7 x 8 = 56, 1/2/2020",
    "sk-learn-is-a-nice-library-for-all-of-us, hf_your_token_here",
    "@someone said: a@b is no address",
]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in FOUND.items() for value in values])
def test_found_and_masked(kind: str, value: str) -> None:
    found = list(find_in(f"It is {value}, as I said."))
    assert [(one.kind, one.value) for one in found] == [(kind, value)]
    assert value not in found[0].example
    assert value[2:-2] not in found[0].example
    assert f"‹{kind} {value[0]}…›" in found[0].example
    assert found[0].example.startswith("It is")


@pytest.mark.parametrize("text", NOT_FOUND)
def test_only_looks_like_it(text: str) -> None:
    assert [(one.kind, one.value) for one in find_in(text)] == []


def test_luhn_by_hand() -> None:
    # 4539 1488 0343 6467: doubled from the right, every second digit: 8+5+6+9+2+4+7+8+0+3+8+3+3+4+3+7 = 80.
    assert is_card("4539 1488 0343 6467")
    assert not is_card("4539 1488 0343 6468")


@given(st.integers(10**14, 10**15 - 1), st.integers(0, 9))
def test_one_check_digit_in_ten_is_right(body: int, digit: int) -> None:
    text = f"4{str(body)[1:]}"
    if len(set(text)) < 5:
        return
    right = [check for check in range(10) if is_card(f"{text}{check}")]
    assert len(right) == 1
    # Luhn's digit finds every single wrong digit.
    swapped = f"4{digit}{text[2:]}{right[0]}"
    assert is_card(swapped) == (swapped == f"{text}{right[0]}")


def test_iban_by_hand() -> None:
    # GB82 WEST 1234 5698 7654 32 → 3214282912345698765432161182 mod 97 = 1, the example of the standard.
    assert 3214282912345698765432161182 % 97 == 1
    assert is_iban("GB82 WEST 1234 5698 7654 32")
    assert not is_iban("GB82 WEST 1234 5698 7654 23")


def test_addresses() -> None:
    assert is_public_address("93.184.216.34")
    assert not any(map(is_public_address, ("224.0.0.22", "255.255.255.255", "22.22.22.22", "1.2.3.19")))


def test_other_personal_data_around_an_example_is_masked_too() -> None:
    first, second = find_in("ada@mail.org, 415-867-5309")
    assert first.example == second.example == "‹email a…›, ‹phone 4…›"


def test_counts() -> None:
    preferences = [
        simple("a", "mail ada@mail.org", "or ada@mail.org"),
        simple("b", "mail ada@mail.org or bob@mail.org", "no"),
        simple("c", "no", "neither"),
        simple("d", "card 4539 1488 0343 6467", "no"),
    ]
    exposures = {one.kind: one for one in find_personal_data(preferences)}
    assert list(exposures) == [kind.name for kind in KINDS]
    email = exposures["email"]
    assert (email.rows, email.hit_rows, email.values) == (4, 2, 2)
    assert email.examples == ("mail ‹email a…›", "mail ‹email a…› or ‹email b…›")
    assert (exposures["card"].hit_rows, exposures["ssn"].hit_rows) == (1, 0)


def test_findings() -> None:
    clean = [simple(str(number), "yes", "no") for number in range(1999)]
    found = {one.name: one for one in privacy_findings(find_personal_data(clean))}
    assert {one.severity for one in found.values()} == {"info"}
    assert found["privacy.email"].estimate.n == 1999
    mailed = simple("x", "ada@mail.org", "4539 1488 0343 6467")
    found = {one.name: one for one in privacy_findings(find_personal_data([*clean, mailed]))}
    # One row in 2,000 is below the limit of one in a thousand for addresses; a card number is one too many.
    assert found["privacy.email"].severity == "info"
    assert found["privacy.card"].severity == "critical"
    assert found["privacy.card"].estimate.value == 1 / 2000
    assert found["privacy.card"].p_value is None
    assert "1 distinct card numbers in 1 of 2000" in found["privacy.card"].summary
    found = {one.name: one for one in privacy_findings(find_personal_data([*clean[:500], mailed]))}
    assert found["privacy.email"].severity == "warning"


def test_nothing_to_look_at() -> None:
    assert all(one.estimate.n == 0 for one in privacy_findings(find_personal_data([])))
