"""Work that tests run in other processes: tasks for a confined process, and scenario jobs for a batch.

No task or job needs a browser. Each name describes how the task or job ends.
"""
