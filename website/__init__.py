"""The site of LLQ: the specification, a page for each rule, guides and measurements, built into static pages."""
