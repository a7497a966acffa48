"""The bench suite: volstream beside other loaders on the same series, its own figures, and its parts.

`volstream bench` and `./dev bench` run it; docs/benchmarks.md says how, and shows what came out.
"""
