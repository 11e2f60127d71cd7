"""The server beside the browser: the page, signalling, the spool and downloads, in one thread of its own."""
