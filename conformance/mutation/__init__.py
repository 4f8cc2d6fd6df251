"""Mutation tables: mutants made by rule, and which checks notice each."""
