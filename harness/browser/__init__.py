"""Find, install, launch and check Chrome, and control the pages in it.

Input: options, such as an executable or the URLs of remote browsers.  Output: browser contexts, page objects and a
DoctorReport. Called by ``harness.launch``, ``harness.session``, ``harness.pytest_plugin`` and ``harness.cli``.
"""
