"""Other guards on the same messages as ours; see README.md."""
