"""Exporters made on purpose: conforming variants and mutants of the reference exporter."""
