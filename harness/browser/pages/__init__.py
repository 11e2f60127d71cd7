"""Wrap every page that Python drives in an object.

In: a Playwright page.  Out: one method for each call into the page; plain data in, plain data out.
Called by ``harness.session``.
"""
