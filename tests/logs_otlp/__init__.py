"""Log records by OTLP: what arrives, once each, masked, whoever makes them."""
