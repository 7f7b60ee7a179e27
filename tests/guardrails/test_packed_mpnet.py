"""The layers as they are written out give what transformers' model gives."""

from __future__ import annotations

import torch
from transformers import MPNetConfig, MPNetModel

from askdmt.guardrails.packed_mpnet import PackedMPNet


def test_it_gives_the_same_states_for_texts_of_different_lengths() -> None:
    torch.manual_seed(1)
    config = MPNetConfig(
        vocab_size=40, hidden_size=24, num_hidden_layers=3, num_attention_heads=4, intermediate_size=48
    )
    model = MPNetModel(config).eval().requires_grad_(False)
    ids = torch.randint(5, 40, (2, 16))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    expected = model(input_ids=ids, attention_mask=mask).last_hidden_state
    found = PackedMPNet(model)(ids, mask)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[1, :9], expected[1, :9], rtol=1e-4, atol=1e-4)
