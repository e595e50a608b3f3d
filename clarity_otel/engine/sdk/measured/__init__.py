"""What the sdk engine measures beside the contrib instrumentors, which count no more than
HTTP requests: refusals, exceptions, clients that leave, WebSockets, Redis, AWS, retries.

Written with instruments of the OpenTelemetry API that have the catalog's names, so that
both doors show the same families as on the native engine. Sampled or not, and only what
the contrib instrumentors trace.
"""
