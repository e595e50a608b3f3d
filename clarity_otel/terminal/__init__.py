"""The dashboard's data in the terminal: `clarity traces`, `tail`, `export` and `import`.

`source` asks the dashboard that runs or reads the store's file, `lines` writes rows as
tables or JSON lines, `times` reads what the user calls a duration.
"""
