"""The files of an exported model."""

from __future__ import annotations

from pathlib import Path

from rewardsmith.models.capacity import token_capacity
from rewardsmith.models.export.deprecated import write_torchscript
from rewardsmith.models.export.format import FILE_NAMES, Format
from rewardsmith.models.export.graph import RewardGraph
from rewardsmith.models.export.int8 import quantise_file
from rewardsmith.models.export.onnx import write_onnx
from rewardsmith.models.load import LoadedModel
from rewardsmith.scoring.families.exported import FAMILY, ExportedSpec
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.scoring.single import check_template, token_limit
from rewardsmith.text.encoder import ConversationEncoder

_WHOLE = "float32.onnx"


def write_exported(loaded: LoadedModel, folder: Path, kind: Format) -> int:
    """Write the file, the tokenizer and `scorer.json` of an exported model into `folder`.

    Returns:
        How many layers are in eight bits.

    Raises:
        ModelError: The architecture cannot be exported in that format, or the chat template is not that of training.
        MissingDependencyError: The packages of the extra `export` are not installed.
    """
    encoder = ConversationEncoder(loaded.tokenizer)
    check_template(loaded, encoder, str(folder))
    graph = RewardGraph(loaded.model)
    vocabulary = int(loaded.model.config.get_text_config().vocab_size)
    capacity = token_capacity(loaded.model, loaded.tokenizer)
    path, layers = folder / FILE_NAMES[kind], 0
    match kind:
        case "torchscript":
            write_torchscript(graph, path, vocabulary=vocabulary)
        case "onnx":
            write_onnx(graph, path, vocabulary=vocabulary, capacity=capacity)
        case "int8":
            write_onnx(graph, folder / _WHOLE, vocabulary=vocabulary, capacity=capacity)
            layers = quantise_file(folder / _WHOLE, path, heads=1 if loaded.model.mlp is None else 2)
            for each in folder.glob(f"{_WHOLE}*"):
                each.unlink()
    encoder.tokenizer.save_pretrained(str(folder))
    spec = ExportedSpec(
        format=kind,
        file=path.name,
        source=loaded.digest,
        template_digest=encoder.template_digest,
        vocabulary=vocabulary,
        max_tokens=token_limit(loaded, None),
        capacity=capacity,
    )
    write_spec(folder, FAMILY, spec.model_dump(mode="json"))
    return layers
