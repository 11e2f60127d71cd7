"""Control a room and its participants from Python: join, record, wait, and collect the files.

Input: a RoomServer, browser contexts and a RecordConfig.  Output: a Room with its Participants, and a Recording for
every file. Called by ``harness.launch``, ``harness.scenario``, ``harness.cli`` and ``harness.pytest_plugin``.
"""
