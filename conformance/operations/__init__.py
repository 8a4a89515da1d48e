"""The operations of the decoder in binary64, each with the error bound that chapter Numerics states."""
