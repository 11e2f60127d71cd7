"""Wrap each page that Python drives in a page object.

In: a Playwright page.  Out: one method for each call into the page, with plain data as arguments and results.
Called by ``harness.session``.
"""
