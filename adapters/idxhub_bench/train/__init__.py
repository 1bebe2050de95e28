"""`idxhub bench train`: one network in several frameworks, with the same weights, batches and dropout."""
