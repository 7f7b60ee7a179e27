"""What becomes of a language model's draft, and why there may be none."""

from __future__ import annotations

from typing import Literal

# Why no whole draft came: the model rests after failures, the day's budget is used up, too many are being written, it
# failed, took too long, was cut short, or wrote nothing.
Reason = Literal["resting", "budget", "busy", "error", "timeout", "truncated", "empty"]

# A draft was shown; was shown in part, with a reviewed passage after it; or the extractive answer took its place, since
# there was none, or it was not borne out by the passages, or it could not be checked.
Outcome = Literal["written", "mended", Reason, "unsupported", "guard"]
