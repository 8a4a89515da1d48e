"""Examples in Python, with NumPy alone: an adapter, and runtimes that are small or wrong on purpose."""
