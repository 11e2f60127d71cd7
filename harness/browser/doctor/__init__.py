"""Find out what this machine can record, which requirements are missing, and how to meet them.

Input: the path of a Chrome executable, and the folder for recordings. Output: a DoctorReport. Used by ``harness.cli``.
"""
