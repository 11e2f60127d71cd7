"""Work that tests run in other processes: tasks for a confined process, and scenario jobs for a batch.

No task or job needs a browser. Each task or job is named after the way it ends. ``users``, ``limited_group`` and
``refused_calls`` run programs as another user, with limits like those of a container, and without some system calls.
"""
