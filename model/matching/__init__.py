"""Matching: is an observation a behavior of the statement?

| module | contents |
|---|---|
| `layout` | which symbols are kept, in which sparse tables, with which indexes |
| `source` | formulas and values as Python expressions over these tables; quantifiers become look-ups |
| `compiled` | each action as functions: which conjunct of its guard is false, what it changes, which choices it has |
"""
