"""Networks that fail on purpose: a proxy that cuts connections, and a network namespace without a network.

The tests of faults use them.
"""
