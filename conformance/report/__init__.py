"""What a build shows of a command: test cases, annotations, a summary. Commands say once what they found."""
