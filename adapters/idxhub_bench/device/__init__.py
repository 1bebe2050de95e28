"""`idxhub bench device`: batches gathered where the model is, beside batches that travel there, and a plain copy."""
