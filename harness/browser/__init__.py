"""Find, install, launch and check Chrome, and control the pages in it.

Input: options, for example the path of a Chrome executable or the URLs of remote browsers. Output: browser contexts,
page objects and a DoctorReport. Called by ``harness.launch``, ``harness.session``, ``harness.pytest_plugin`` and
``harness.cli``.
"""
