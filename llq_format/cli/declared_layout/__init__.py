"""The layout of shards as its declarations have it: as a table, and in the language of Kaitai Struct."""
