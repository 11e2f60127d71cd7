"""List the published recordings of a public room, verify them, and play them.

In: requests of the room's members and viewers.  Out: the list, the results, and addresses of the files.
Called by ``web_app.py``; the spool hands finished recordings over.
"""
