"""What a wheel ships of others: their licences, and a bill of materials.

`python -m tools.third_party` writes THIRD-PARTY-NOTICES.txt (into `.dist-info/licenses`),
sbom.cdx.json (into `.dist-info/sboms`, PEP 770) and docs/third-party.md; with --check it
compares them. All three follow from the lock files and from the licence files of the
packages that they name, so that they are the same on every machine.
"""
