"""The conformance subjects: how the kit reads the datasets of each built-in adapter, one module a framework."""
