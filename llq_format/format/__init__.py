"""The bytes of the format: layout of shards and records, packing of codes, dequantization. Imports nothing."""
