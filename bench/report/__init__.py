"""A run's lines as Markdown and plots."""
