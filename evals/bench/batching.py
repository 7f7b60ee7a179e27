"""Many questions at once: `askdmt batch` against the encoder alone on the same texts."""

from __future__ import annotations

from bench.figures import Figure, Part, Spread
from bench.processes import side
from bench.questions import mixed
from bench.serving import CORES, encoded_texts


def measure(questions: int, rounds: int) -> Part:
    """Let both sides take all of it, in turn."""
    asked = mixed(questions)
    texts = encoded_texts(asked)
    ours, alone = [], []
    with side("batch_ours", CORES) as whole, side("batch_encoder", CORES) as encoder:
        for one in (whole, encoder):
            one.measure(asked[:64])
        for _ in range(rounds):
            ours.append(len(asked) / whole.measure(asked).clock * 1000)
            alone.append(len(asked) / encoder.measure(texts).clock * 1000)
    figure = Figure(
        f"batch of {questions:,} questions, {CORES} cores", "a second", Spread.of(ours), "≥ 0.8",
        "the encoder alone, in batches, on the same texts", Spread.of(alone),
    )  # fmt: skip
    return Part([figure], details={"texts": len(texts)})
