"""Who decides: a small protocol of its own, which every role with several instances follows."""
