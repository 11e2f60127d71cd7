"""Networks that fail on purpose: a proxy that cuts connections, and a namespace whose network can be turned off.

The fault tests use the modules in this folder.
"""
