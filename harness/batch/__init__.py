"""Run many scenarios, on this machine or on a Dask cluster.

Input: scenarios and the number of workers.  Output: one outcome per scenario, even after a worker crash.
``harness run`` calls this package, and its workers call ``harness.scenario``.
"""
