"""Every name of a metric, a span or a label, in one room. Exports nothing itself."""
