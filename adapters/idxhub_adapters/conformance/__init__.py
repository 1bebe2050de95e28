"""How the conformance kit reads each built-in adapter's datasets: one module a framework."""
