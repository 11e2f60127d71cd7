"""Work that tests hand to other processes: tasks for a confined process, and scenario jobs for a batch.

None of them needs a browser; each ends, crashes or hangs as its name says.
"""
