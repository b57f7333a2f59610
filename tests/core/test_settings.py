from __future__ import annotations

import pytest

from rewardsmith.core.errors import SettingsError
from rewardsmith.core.settings import Settings, override, parse_settings, parse_yaml


class Inner(Settings):
    learning_rate: float = 1e-5
    epochs: int = 1


class Outer(Settings):
    name: str = "x"
    training: Inner = Inner()
    parts: tuple[Inner, ...] = ()


def test_unknown_key_names_the_nearest_valid_one():
    with pytest.raises(SettingsError, match=r"did you mean 'training'\?"):
        parse_settings(Outer, {"trainning": {}}, where="recipe.yaml")


def test_unknown_key_in_a_section_names_the_file_and_the_sections_keys():
    with pytest.raises(SettingsError) as caught:
        parse_settings(Outer, {"training": {"learning_rat": 1}}, where="recipe.yaml")
    message = str(caught.value)
    assert message.startswith("recipe.yaml: unknown key 'training.learning_rat'")
    assert "epochs, learning_rate" in message
    assert "did you mean 'learning_rate'?" in message
    assert "\n" not in message


def test_unknown_key_inside_a_list_of_sections():
    with pytest.raises(SettingsError, match="did you mean 'epochs'"):
        parse_settings(Outer, {"parts": [{"epoch": 1}]}, where="r")


def test_wrong_type_says_what_came():
    with pytest.raises(SettingsError, match=r"bad value for training\.epochs.*got many"):
        parse_settings(Outer, {"training": {"epochs": "many"}}, where="r")


def test_override_reads_scientific_notation_that_yaml_leaves_as_text():
    values = override({"training": {"epochs": 2}}, ["training.learning_rate=1e-5", "name=abc"])
    assert values == {"training": {"epochs": 2, "learning_rate": 1e-5}, "name": "abc"}


def test_override_leaves_its_argument_alone():
    before = {"training": {"epochs": 2}}
    override(before, ["training.epochs=3"])
    assert before == {"training": {"epochs": 2}}


def test_override_makes_sections_that_were_not_there():
    assert override({}, ["a.b.c=[1, 2]"]) == {"a": {"b": {"c": [1, 2]}}}


@pytest.mark.parametrize("text", ["training.epochs", "=3"])
def test_override_without_key_or_value_is_refused(text: str):
    with pytest.raises(SettingsError, match="section"):
        override({}, [text])


def test_override_through_a_value_is_refused():
    with pytest.raises(SettingsError, match="wanted a section"):
        override({"name": "x"}, ["name.first=y"])


def test_bad_yaml_is_one_line():
    with pytest.raises(SettingsError) as caught:
        parse_yaml("a: [1,\nb: }", where="r.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"), [("1e-5", 1e-5), ("2E3", 2000.0), ("emu", "emu"), ("1eggs", "1eggs"), ("3", 3)]
)
def test_only_numbers_become_numbers(text: str, value: object):
    assert parse_yaml(text, where="x") == value


def test_settings_are_frozen():
    with pytest.raises(Exception, match="frozen"):
        Outer().name = "y"  # pyright: ignore
