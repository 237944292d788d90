"""One file per export format; each yields raw tables of text columns with the line they came from."""
