"""Kubernetes and certificates, where kube-state-metrics or the blackbox exporter run."""

from __future__ import annotations

from clarity_otel.stack import thresholds as t
from clarity_otel.stack.alerts.rule import Alert, Group, number

GROUP = Group(
    "platform",
    (
        Alert(
            "PodRestarting",
            "sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total[15m]))"
            f" > {number(t.POD_RESTARTS.limit)}",
            "warning",
            "platform",
            "The pod {{ $labels.namespace }}/{{ $labels.pod }} has restarted "
            '{{ $value | printf "%.0f" }} times within 15 minutes',
            t.POD_RESTARTS.for_s,
            service="{{ $labels.pod }}",
        ),
        Alert(
            "VolumeFilling",
            "kubelet_volume_stats_available_bytes / (kubelet_volume_stats_capacity_bytes > 0)"
            f" < {number(t.VOLUME_FREE_RATIO.limit)}",
            "warning",
            "platform",
            "{{ $value | humanizePercentage }} of the volume {{ $labels.namespace }}/"
            "{{ $labels.persistentvolumeclaim }} is free",
            t.VOLUME_FREE_RATIO.for_s,
            service="{{ $labels.persistentvolumeclaim }}",
        ),
        Alert(
            "CertificateExpiring",
            "(probe_ssl_earliest_cert_expiry - time()) / 86400"
            f" < {number(t.CERTIFICATE_DAYS.limit)}",
            "warning",
            "platform",
            'The certificate of {{ $labels.instance }} ends in {{ $value | printf "%.1f" }} days',
            t.CERTIFICATE_DAYS.for_s,
        ),
    ),
)
