"""Kill matrices: mutants made by rule, and which check notices which of them."""
