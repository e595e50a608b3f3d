//! The TLS client: whom to trust, and who we are.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::config::{ExportConfig, Protocol};

/// Reads the certificates and the key from disk. An error is a sentence that
/// names the setting.
pub fn client_config(config: &ExportConfig) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used: {error}."))?
        .with_root_certificates(roots(config.ca_file.as_deref())?);
    let mut client = match (&config.client_certificate_file, &config.client_key_file) {
        (None, None) => builder.with_no_client_auth(),
        (Some(certificate), Some(key)) => {
            let chain = certificates("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", certificate)?;
            let setting = "OTEL_EXPORTER_OTLP_CLIENT_KEY";
            let key_der = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unreadable(setting, key, "private key", &error))?;
            builder
                .with_client_auth_cert(chain, key_der)
                .map_err(|error| {
                    format!(
                        "{setting} ({}) does not fit OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: \
                         {error}.",
                        key.display()
                    )
                })?
        }
        (Some(_), None) => return Err(lonely("CERTIFICATE", "KEY")),
        (None, Some(_)) => return Err(lonely("KEY", "CERTIFICATE")),
    };
    client.alpn_protocols = match config.protocol {
        Protocol::HttpProtobuf => vec![b"http/1.1".to_vec()],
        Protocol::Grpc => vec![b"h2".to_vec()],
    };
    Ok(Arc::new(client))
}

fn lonely(set: &str, missing: &str) -> String {
    format!(
        "OTEL_EXPORTER_OTLP_CLIENT_{set} is set without OTEL_EXPORTER_OTLP_CLIENT_{missing}: \
         a client certificate needs both."
    )
}

/// The user's own authorities alone, else the system's (SSL_CERT_FILE is honoured).
fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    if let Some(path) = ca_file {
        let setting = "OTEL_EXPORTER_OTLP_CERTIFICATE";
        for certificate in certificates(setting, path)? {
            store
                .add(certificate)
                .map_err(|error| unreadable(setting, path, "certificate", &error))?;
        }
        return Ok(store);
    }
    // Systems carry a few certificates that parsers refuse; the others serve.
    store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if store.is_empty() {
        return Err(
            "This system has no certificate authorities to check the target against: install \
             the package ca-certificates, or set OTEL_EXPORTER_OTLP_CERTIFICATE to a PEM file."
                .into(),
        );
    }
    Ok(store)
}

fn certificates(setting: &str, path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    match read {
        Ok(found) if found.is_empty() => Err(format!(
            "{setting} names {}, which holds no PEM certificate.",
            path.display()
        )),
        Ok(found) => Ok(found),
        Err(error) => Err(unreadable(setting, path, "certificate", &error)),
    }
}

fn unreadable(setting: &str, path: &Path, what: &str, error: &dyn std::fmt::Display) -> String {
    format!(
        "{setting} names {}, but no PEM {what} could be read from it: {error}.",
        path.display()
    )
}
