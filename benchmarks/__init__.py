"""What gemini_magic costs, measured side by side with its peers: ``python -m benchmarks``.

Each case runs its variants in turns, in one run on one machine, because only differences between
neighbours in time mean anything on a machine that others use too. CPU time stands beside wall
time for the same reason.
"""
