"""Small labs: one idea, one or two controls."""
