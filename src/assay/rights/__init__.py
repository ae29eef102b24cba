"""The rights that selected controls need, written as each system grants them."""
