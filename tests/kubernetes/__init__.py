"""The manifests of observability/k8s."""
