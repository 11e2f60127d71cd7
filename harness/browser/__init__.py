"""Find, install, launch and check Chrome, and control the pages in it.

In: options, such as an executable or the URLs of remote browsers.  Out: browser contexts, page objects, a DoctorReport.
Called by ``harness.launch``, ``harness.session``, ``harness.pytest_plugin`` and ``harness.cli``.
"""
