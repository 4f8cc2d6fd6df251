"""Results as people and builds read them: tables, diagrams, test cases, annotations, a summary. A command states it once."""
