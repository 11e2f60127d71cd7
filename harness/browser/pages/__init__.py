"""Define the page objects through which Python controls pages.

Input: a Playwright page. Output: objects with one method for each function that Python can call in the page; arguments
and results are plain data. Called by ``harness.session``.
"""
