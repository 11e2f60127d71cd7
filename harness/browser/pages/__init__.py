"""Define the page objects through which Python controls pages.

Input: a Playwright page.  Output: objects with one method for each call into the page; arguments and results are plain
data. Called by ``harness.session``.
"""
