"""The league: several recorders record the same scripted call, and one page compares their files and their cost.

``script.py`` specifies what happens in the call, ``stage.py`` opens the call, and ``recorders/`` has one module for
each kind of recorder. ``run.py`` makes one recording in a separate process, and ``runs.py`` starts these processes.
``scores.py`` measures the files, ``table.py`` combines the repeats, and ``page.py`` writes the page and the table in
the documentation. ``python -m benchmarks.league`` runs everything.
"""
