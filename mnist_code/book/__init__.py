"""Props for the chapters: figures, honest timing, the published figures. No program needs them."""
