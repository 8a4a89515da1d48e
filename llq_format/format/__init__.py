"""The bytes of the format: layout, packing and dequantization. This room imports no other room."""
