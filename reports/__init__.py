"""Presentation: reads the published mart only, so a page can show nothing that an analyst cannot select."""
