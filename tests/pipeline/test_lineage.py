from __future__ import annotations

import json

import pytest
from tests.serve.families import FAMILIES

from rewardsmith.audit.stress.lineage import compare_lineage
from rewardsmith.core.errors import ModelError
from rewardsmith.core.manifest import Manifest
from rewardsmith.core.store import write_manifest
from rewardsmith.pipeline.lineage import load_lineage
from rewardsmith.scoring.families.spec import write_spec
from rewardsmith.training.train import KIND


def test_a_checkpoint_says_where_it_comes_from(tiny_reward_model, tiny):
    lineage = load_lineage(tiny_reward_model)
    assert lineage.architecture == "llama"
    assert lineage.hidden_size == tiny.llama().config.hidden_size
    assert lineage.base is None
    assert compare_lineage(lineage, load_lineage(tiny_reward_model)).differences == ()


def test_an_adapter_has_its_base_s_lineage(tiny_reward_model, tmp_path, tiny):
    tiny.decoder_tokenizer().save_pretrained(tmp_path)
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(tiny_reward_model)}))
    lineage = load_lineage(tmp_path)
    assert lineage.base == str(tiny_reward_model)
    assert lineage.hidden_size == load_lineage(tiny_reward_model).hidden_size


def test_a_built_in_encoder_differs_from_a_decoder(tiny_reward_model):
    built_in = load_lineage("builtin:minilm-l6")
    assert built_in.base == "builtin:minilm-l6"
    match = compare_lineage(load_lineage(tiny_reward_model), built_in)
    assert {"architecture", "vocabulary", "hidden size"} <= set(match.differences)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError):
        load_lineage(tmp_path)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_lineage(family, tmp_path, tiny, tiny_reward_model):
    """Their parts are tiny decoders, but for one encoder by itself and one in the merged model."""
    FAMILIES[family](tmp_path / family)
    lineage = load_lineage(tmp_path / family)
    match family:
        case "encoder":
            assert lineage.architecture == "bert"
        case "merged":
            assert lineage.architecture == "bert + llama"
        case _:
            assert lineage.architecture == "llama"
    assert lineage.hidden_size == tiny.HIDDEN
    differences = compare_lineage(lineage, load_lineage(tiny_reward_model)).differences
    assert ("vocabulary" in differences) is (family in ("encoder", "merged"))


def test_members_of_different_bases_have_none_in_common(tmp_path, tiny):
    bases = [tiny.save_base(tmp_path / name, "decoder") for name in ("one", "two")]
    members = [tmp_path / "ensemble" / f"member-{number}" for number in range(2)]
    for member, base in zip(members, bases, strict=True):
        tiny.decoder_tokenizer().save_pretrained(member)
        (member / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": base}))
    write_spec(tmp_path / "ensemble", "ensemble", {"members": ["member-0", "member-1"]})
    assert load_lineage(tmp_path / "ensemble").base is None
    write_spec(tmp_path / "ensemble", "ensemble", {"members": ["member-1", "member-1"]})
    assert load_lineage(tmp_path / "ensemble").base == bases[1]


def test_a_merged_head_names_no_base_in_its_manifest(tmp_path):
    """But its card does, or nobody."""
    FAMILIES["decoder"](tmp_path / "model")
    write_manifest(tmp_path / "model", Manifest(kind=KIND, config={"name": "merged", "merge": {}}))
    assert load_lineage(tmp_path / "model").base is None
    card = tmp_path / "model" / "reward_model.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"base": "org/base"}))
    assert load_lineage(tmp_path / "model").base == "org/base"


def test_an_endpoint_has_none(tmp_path):
    write_spec(tmp_path, "judge", {"kind": "pairwise", "backend": {"url": "http://127.0.0.1:9", "model": "m"}})
    with pytest.raises(ModelError, match="no lineage"):
        load_lineage(tmp_path)
