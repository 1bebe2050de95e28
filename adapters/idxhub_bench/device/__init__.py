"""`idxhub bench device`: batches gathered on a device, batches that are copied to it, and a plain copy on it."""
