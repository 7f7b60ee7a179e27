"""The reviewed knowledge: sections, their index, and the search over it."""
