"""What optimising against a reward does, and whether what is said of it beforehand holds.

    python bench/optimise.py budget [--part policy|ratings] [--trials N] [--prompts N] [-n N] [--out FILE]
    python bench/optimise.py budget-picture [--out FILE]

`budget` writes down `kl-budget-coverage` (see `kl_budget.py`); with `--out` elsewhere, of what was run now alone. On
one core about: `ratings` one minute once the features are there (five more where not), `policy` 20 minutes, nearly all
of them sampling, which goes on where it was stopped. `budget-picture` draws what the documentation shows, from the same
data as `ratings`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import kl_budget
import measure

OUT = measure.ROOT / "bench" / "results" / "optimise.json"
PICTURE = measure.ROOT / "docs" / "results" / "over-optimisation.svg"


def main() -> None:
    """Run one benchmark, print its rows, and put them into the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    _add_budget(commands.add_parser("budget", help="does the KL budget hold on other prompts?"))
    _add_picture(commands.add_parser("budget-picture", help="gold and reward against KL, with the budget"))
    asked = parser.parse_args()
    asked.run(asked)


def _add_budget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", choices=("policy", "ratings"), help="both where absent")
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=48, help="of the policy")
    parser.add_argument("-n", type=int, default=64, help="samples a prompt of the policy")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.set_defaults(run=_budget)


def _add_picture(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=PICTURE)
    parser.set_defaults(run=lambda asked: asked.out.write_text(kl_budget.picture() + "\n", "utf-8"))


def _budget(asked: argparse.Namespace) -> None:
    parts: dict[str, Iterator[kl_budget.Trial]] = {
        "ratings": kl_budget.rating_trials(asked.trials),
        "policy": kl_budget.policy_trials(asked.trials, prompts=asked.prompts, n=asked.n),
    }
    made = [each for name, some in parts.items() if asked.part in (None, name) for each in some]
    for each in made:
        state = "held" if each.is_held else "missed"
        value, low, high = each.predicted
        print(
            f"{each.part} {each.number}: {each.budget_nats:.2f} nats, best of {each.n}; gain {each.gain:+.4f}, "
            f"predicted {value:+.4f} [{low:+.4f}, {high:+.4f}]: {state}"
        )
    known = kl_budget.keep(made) if asked.out == OUT else made
    rows = [kl_budget.coverage_row(known)]
    measure.show(rows)
    measure.write_rows(asked.out, rows)


if __name__ == "__main__":
    main()
