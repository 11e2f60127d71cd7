"""Work that tests run in other processes: tasks for a confined process, and scenario jobs for a batch.

No task or job needs a browser. Each task or job is named after the way it ends. ``users`` and ``limited_group`` run
programs as another user, and with limits like those of a container.
"""
