"""`python -m askdmt` is the same as `askdmt`."""

from askdmt.cli import main

main()
