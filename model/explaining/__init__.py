"""Explanations: why an observation is not a step of the statement, and what would have been one.

| module | contents |
|---|---|
| `scene` | queries on one state: values, witnesses, choices, what a step changes |
| `reasons` | which conjunct of a guard is false, and the values that decide it, in the statement's notation |
| `nearest` | the step that fits with the fewest fields changed |
| `subgoals` | what has to change for a formula to hold, and which changes achieve it |
| `repairs` | the steps that may be missing before the observation |
| `insertion` | inferred steps, inserted one after the other where an observation needs them |
| `broken` | the promises that the observation breaks if it is taken literally |
"""
