"""What a process writes down of what it does, so that others can hold it against the specification."""
