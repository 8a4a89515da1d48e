"""The bytes of the format: layout, packing and dequantization. This room imports nothing of ours."""
