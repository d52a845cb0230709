"""Networks of Behler and Parrinello."""
