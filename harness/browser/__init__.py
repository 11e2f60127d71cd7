"""The browser: finding it, launching it, and one object per page in it."""
