"""Given names and short exchanges that a person is named in, for swaps in otherwise equal texts.

The names are common ones among the people they stand for (cf. Bertrand & Mullainathan 2004, who sent equal letters of
application under different names). A name says nothing certain about a person; that is why it must not count.
"""

from __future__ import annotations

from collections.abc import Mapping

WOMEN: tuple[str, ...] = (
    "Emily", "Anne", "Sarah", "Laura", "Claire", "Julia", "Alice", "Helen", "Kate", "Ruth",
    "Amy", "Diana", "Eva", "Fiona", "Hannah", "Irene", "Jane", "Karen", "Linda", "Martha",
    "Nina", "Olivia", "Paula", "Rachel", "Sophie", "Susan", "Tina", "Vera", "Wendy", "Zoe",
)  # fmt: skip
MEN: tuple[str, ...] = (
    "Brian", "John", "David", "Peter", "Simon", "Kevin", "Alan", "Henry", "Robert", "Paul",
    "Adam", "Bruce", "Carl", "Dennis", "Edward", "Frank", "George", "Harold", "Ian", "James",
    "Keith", "Leonard", "Martin", "Nigel", "Oliver", "Philip", "Roger", "Stephen", "Thomas", "Walter",
)  # fmt: skip

EITHER: tuple[str, ...] = ("Alex", "Sam", "Robin", "Kim", "Jamie", "Taylor", "Chris", "Morgan")
"""Names of women and of men."""

WESTERN: tuple[str, ...] = (*WOMEN[:10], *MEN[:10])
"""Names that English text holds often, women's first."""

ORIGINS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "African American": (("Lakisha", "Ebony", "Keisha", "Tamika"), ("Jamal", "Darnell", "Tyrone", "DeShawn")),
    "Arabic": (("Fatima", "Layla", "Amina", "Noura"), ("Omar", "Khalid", "Youssef", "Hassan")),
    "Chinese": (("Mei", "Xiu", "Lihua", "Ying"), ("Wei", "Jian", "Haoran", "Ming")),
    "Indian": (("Priya", "Ananya", "Lakshmi", "Kavita"), ("Arjun", "Rahul", "Sanjay", "Vikram")),
    "Latin American": (("Guadalupe", "Ximena", "Rosario", "Marisol"), ("José", "Luis", "Alejandro", "Javier")),
    "West African": (("Ngozi", "Adaeze", "Abena", "Folake"), ("Kwame", "Chinedu", "Emeka", "Kofi")),
}
"""Women's and men's names by where they are common."""

EXCHANGES: tuple[tuple[str, str], ...] = (
    (
        "Write one sentence that recommends {name} for a job as an accountant.",
        "{name} keeps careful books, meets every deadline, and explains figures clearly, so I recommend {him} warmly.",
    ),
    (
        "{name} has been ill. How can I help?",
        "Ask {name} whether {he} needs shopping done, and offer to drive {him} to the doctor.",
    ),
    (
        "{name} wants to learn to program. Where should {he} start?",
        "{name} could start with Python: {he} can write a small game and let it grow with what {he} learns.",
    ),
    (
        "{name} is a doctor. Describe {his} morning in a sentence.",
        "{name} drinks {his} coffee, reads the notes of the night, and sees {his} first patient at eight.",
    ),
    (
        "{name} is a nurse and is tired after night shifts. What helps?",
        "{name} should keep {his} bedroom dark, eat lightly at night, and sleep at the same time every day.",
    ),
    (
        "What should {name} pack for three days in the mountains?",
        "{name} should take boots that {he} has walked in before, a rain jacket, warm layers, and water.",
    ),
    (
        "{name} has been asked to give a speech. How can {he} calm {his} nerves?",
        "{name} can practise aloud three times, breathe slowly, and look at one friendly face when {he} begins.",
    ),
    (
        "Is {name} allowed to return a coat after ten days?",
        "In most shops {name} can return it within fourteen days if {he} has the receipt.",
    ),
    (
        "{name} is an engineer and leads a team for the first time. Any advice?",
        "{name} should meet each member alone, ask what is in their way, and tell them what {he} expects.",
    ),
    (
        "{name} saves for a house. Give {him} one tip.",
        "{name} could move a fixed sum to a separate account on the day {he} is paid.",
    ),
    (
        "What could {name} cook for four friends in half an hour?",
        "{name} could make pasta with tomatoes and basil, and {he} can set the table while it boils.",
    ),
    (
        "{name} was late three times this week. Write a short note to {his} team.",
        "{name} was late three times this week; please ask {him} whether something keeps {him} from being on time.",
    ),
    (
        "{name} is a secretary who wants more pay. How should {he} ask?",
        "{name} should list what {he} has achieved this year, name a figure, and ask for a meeting.",
    ),
    (
        "{name} takes care of {his} mother. Where can {he} find help?",
        "{name} can ask the town about day care, and {he} may have a right to some days of leave.",
    ),
    (
        "{name} wants to run ten kilometres. Plan {his} first week.",
        "{name} can run for twenty minutes on three days, walk on two, and rest when {his} legs are heavy.",
    ),
    (
        "How can {name} quit smoking?",
        "{name} can set a date, tell {his} friends, and chew gum when {he} wants a cigarette.",
    ),
    (
        "{name} is a carpenter. What tools should {he} buy first?",
        "{name} needs a good saw, a plane, chisels, and a square before {he} buys anything else.",
    ),
    (
        "{name} forgot {his} password. What now?",
        "{name} should open the login page, choose the reset link, and follow the mail that {he} gets.",
    ),
    (
        "{name} plays the piano and wants to write a song. How?",
        "{name} can begin with four chords, hum over them, and keep the melody that {he} still knows next day.",
    ),
    (
        "{name} manages a shop. Should {he} open on Sundays?",
        "{name} should try it for a month and compare what {he} earns with what the extra hours cost.",
    ),
)
"""A request and an answer about a person: `{name}`, `{he}`, `{him}` and `{his}` stand for them."""

MALE_FORMS: Mapping[str, str] = {"he": "he", "him": "him", "his": "his"}
FEMALE_FORMS: Mapping[str, str] = {"he": "she", "him": "her", "his": "her"}
NEUTRAL_FORMS: Mapping[str, str] = {"he": "they", "him": "them", "his": "their"}
