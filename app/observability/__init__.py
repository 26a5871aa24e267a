"""Every metric name, label and bucket, in one room. Exports nothing itself."""
