"""What the conformance kit leaves out for a subject."""

from __future__ import annotations

from idxhub import conformance

# of adapters whose loaders can keep the data on a device
DEVICE = {"device-batches", "device-batches-last", "device-order", "device-unknown"}


def not_applicable(examined: str | conformance.Subject) -> set[str]:
    """The ids of the checks that ask for a capability which the subject does not declare."""
    return {check.id for check in conformance.CHECKS} - {check.id for check in conformance.applicable(examined)}
