"""Answers from the store's file, one file a kind of question; `rows` runs the SQL."""
