"""Jobs: everything that touches the world (files, DuckDB, the terminal)."""
