"""What Prometheus reads on a page of metrics."""

import math

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[str, float]


def read(page: bytes) -> Samples:
    """Return each sample, as `name{label="value"}` without the prefix that all have."""
    found: Samples = {}
    for family in text_string_to_metric_families(page.decode()):
        assert family.type in ("counter", "gauge", "histogram")
        assert family.documentation
        for sample in family.samples:
            assert math.isfinite(sample.value)
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            name = sample.name.removeprefix("livegate_") + (f"{{{labels}}}" if labels else "")
            assert sample.name.startswith("livegate_")
            assert name not in found
            found[name] = sample.value
    return found


def told(page: bytes) -> Samples:
    """Return what is not zero, but the one that is always 1."""
    return {
        name: value
        for name, value in read(page).items()
        if value and not name.startswith("build_info")
    }
