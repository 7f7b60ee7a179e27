"""What the adapter learns is what the encoder adds to its weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from askdmt.encoder import merge_adapter
from askdmt.guardrails import finetuning


@pytest.fixture
def model() -> torch.nn.Module:
    torch.manual_seed(1)
    return torch.nn.ModuleDict({"attention": torch.nn.ModuleDict({"q": torch.nn.Linear(6, 5)})})


def test_an_untrained_adapter_changes_nothing(model: torch.nn.Module) -> None:
    layer, x = model["attention"]["q"], torch.randn(3, 2, 6)
    torch.testing.assert_close(finetuning.LowRank(layer)(x), layer(x))


def test_only_the_adapter_learns(model: torch.nn.Module) -> None:
    adapted = finetuning.with_adapter(model)
    learns = {name for name, parameter in adapted.named_parameters() if parameter.requires_grad}
    assert learns == {"attention.q.a", "attention.q.b"}


def test_the_written_adapter_merges_into_the_weights(model: torch.nn.Module, tmp_path: Path) -> None:
    plain = torch.nn.ModuleDict({"attention": torch.nn.ModuleDict({"q": torch.nn.Linear(6, 5)})})
    plain.load_state_dict(model.state_dict())
    adapted = finetuning.with_adapter(model)
    adapted.float()
    with torch.no_grad():
        adapted["attention"]["q"].b.normal_()
    finetuning.write_adapter(adapted, tmp_path / "adapter.safetensors")
    merge_adapter([SimpleNamespace(model=plain)], tmp_path / "adapter.safetensors")
    x = torch.randn(4, 6)
    torch.testing.assert_close(plain["attention"]["q"](x), adapted["attention"]["q"](x), rtol=0.02, atol=0.02)
