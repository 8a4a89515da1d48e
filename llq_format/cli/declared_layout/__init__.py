"""The declared layout of shards, as a table and as a Kaitai Struct definition."""
