"""Lowering rules, a file for each family of ops. See codegen.registry for how a rule is written."""
