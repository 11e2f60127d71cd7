"""Define the page objects through which Python controls pages.

Input: a Playwright page.  Output: one method for each call into the page, with plain data as arguments and results.
Called by ``harness.session``.
"""
