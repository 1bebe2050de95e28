"""The plugins: adapters, datasets, conformance subjects and commands of other distributions.

Knows the hooks, how entry points are read without an import, and how one plugin is imported, checked and called. Does
not know what any plugin does.
"""
