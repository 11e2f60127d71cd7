"""Give every page that Python drives its own object.

In: a Playwright page.  Out: one method for each call into the page; plain data in, plain data out.
Called by ``harness.session``.
"""
