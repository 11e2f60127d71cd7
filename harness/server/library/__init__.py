"""List the published recordings of a public room, verify them, and serve them for playback.

Input: finished recordings in the spool, and requests from pages.  Output: the list of recordings, their reports, and
URLs. Called by ``web_app.py``, and by the spool when a recording begins and ends.
"""
