"""A small localisation network that stands still, and a learning rate that follows the loss."""
