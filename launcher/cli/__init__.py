"""The front door: one module per group of commands; parse, call, render."""
