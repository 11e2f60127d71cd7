"""Run many scenarios, on this machine or on a Dask cluster.

In: scenarios and the number of workers.  Out: one outcome per scenario, even after a worker crash.
Called by ``harness run``; each worker calls ``harness.scenario``.
"""
