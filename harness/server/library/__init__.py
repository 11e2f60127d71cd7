"""List the published recordings of a public room, verify them, and play them.

Input: finished recordings of the spool, and requests of pages.  Output: the list, reports and addresses.
Called by ``web_app.py``, and by the spool when a recording begins and ends.
"""
