"""Wrap each page that Python drives in a page object.

Input: a Playwright page.  Output: one method for each call into the page, with plain data as arguments and results.
Called by ``harness.session``.
"""
