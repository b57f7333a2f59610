"""A user's module of priors, as a recipe names it."""

from __future__ import annotations


def vowels(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Vowels of the last turn."""
    return [float(sum(letter in "aeiou" for letter in each[-1]["content"])) for each in conversations]


def too_few(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Forgets the last one."""
    return vowels(conversations)[:-1]


def infinite(conversations: list[list[dict[str, str]]]) -> list[float]:
    """No number for the second one."""
    return [1.0, float("inf"), *(2.0 for _ in conversations[2:])]


def words(conversations: list[list[dict[str, str]]]) -> list[str]:
    """No numbers."""
    return [each[-1]["content"] for each in conversations]


def broken(conversations: list[list[dict[str, str]]]) -> list[float]:
    """Asks for a key that messages do not have."""
    return [float(each[-1]["length"]) for each in conversations]


NOT_A_FUNCTION = 3
