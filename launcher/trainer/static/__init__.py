"""A partial evaluator: works out what a parser would hold from the source that builds it, without running that source.

`machine` holds the state and ties the parts together: `expressions`, `statements` and `calls` follow the Python,
`pure` knows the builtins that are safe to use for real, `mirror` builds the parser with the standard library's own
argparse, so that argparse's rules need not be written down a second time. Whatever is not known is `UNKNOWN`.
"""
