"""The site of LLQ: the specification, a page for each rule, guides and measurements, as static pages."""
