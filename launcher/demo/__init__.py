"""The demo: a small trainer that speaks sd-scripts options, and its pictures."""
