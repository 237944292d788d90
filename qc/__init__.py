"""客服质检: pure calculation. Frames in, frames out; no files, no clock, no network, no database."""
