"""Explaining: why an observation is no step of the statement, and what would have been one.

| module | does |
|---|---|
| `scene` | one state, and whatever is asked of it: values, witnesses, choices, what a step changes |
| `reasons` | which conjunct of a guard is false, and the values that decide it, in the statement's words |
| `nearest` | the step that fits with the fewest words changed |
| `subgoals` | what has to change for a formula to hold, and which changes grant it |
| `repairs` | the steps that may be missing before the observation |
| `insertion` | steps that nobody observed, put in one after the other where an observation needs them |
| `broken` | the promises that the observation breaks if it is taken at its word |
"""
