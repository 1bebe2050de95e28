"""The built-in adapters: one module for each framework, imported when that framework is asked for."""
