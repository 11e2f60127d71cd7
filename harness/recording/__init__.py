"""From raw bytes to a finished file: configuration, names, finalising, manifests."""
