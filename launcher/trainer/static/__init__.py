"""A partial evaluator: works out what a parser would hold from the source that builds it, without running that source.

`entry` is the way in. `machine` holds the state of one reading and ties the parts together. `statements`, with
`attempts` and `definitions`, and `expressions`, with `objects`, follow the Python; `calls` and `special` follow calls.
`pure` knows the builtins that are safe to use for real. `mirror` builds the parser with the standard library's own
argparse, so that argparse's rules need not be written down a second time, and `results` takes the options from it.
Whatever is not known is `UNKNOWN` (`values`), and goes on being so in everything it has a part in.
"""
