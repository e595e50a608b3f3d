//! TLS: own authority, client certificate, and what is refused.

use std::path::PathBuf;
use std::sync::Arc;

use _native::export::{ExportConfig, FailureKind, Outcome};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::RootCertStore;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use rustls::server::WebPkiClientVerifier;

use crate::stub::{Reply, Stub};
use crate::{Exporter, attempt, grpc, http};

/// An authority and one certificate of it for `localhost`, as files of this test.
pub struct Pki {
    folder: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    pub fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("clarity-{test}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), authority.pem()).unwrap();
        let pki = Pki { folder, authority };
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec!["localhost".into()]).unwrap();
            let certificate = params.signed_by(&key, &pki.authority).unwrap();
            std::fs::write(pki.file(name, "pem"), certificate.pem()).unwrap();
            std::fs::write(pki.file(name, "key"), key.serialize_pem()).unwrap();
        }
        pki
    }

    fn file(&self, name: &str, kind: &str) -> PathBuf {
        self.folder.join(format!("{name}.{kind}"))
    }

    /// The server's side; `mutual` asks for a certificate of the authority.
    fn server(&self, mutual: bool, http2: bool) -> Arc<rustls::ServerConfig> {
        let provider = Arc::new(ring::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if mutual {
            let mut roots = RootCertStore::empty();
            roots.add(self.authority.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let certificate = CertificateDer::from_pem_file(self.file("server", "pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(self.file("server", "key")).unwrap();
        let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
        config.alpn_protocols = vec![if http2 {
            b"h2".to_vec()
        } else {
            b"http/1.1".to_vec()
        }];
        Arc::new(config)
    }

    pub fn stub(&self, mutual: bool, http2: bool) -> Stub {
        let reply = if http2 {
            Reply::grpc(0, b"")
        } else {
            Reply::http(200)
        };
        Stub::start([reply], http2, Some(self.server(mutual, http2)))
    }

    pub fn trusting(&self, mut config: ExportConfig) -> ExportConfig {
        config.ca_file = Some(self.folder.join("ca.pem"));
        config
    }

    fn presenting(&self, mut config: ExportConfig) -> ExportConfig {
        config.client_certificate_file = Some(self.file("client", "pem"));
        config.client_key_file = Some(self.file("client", "key"));
        config
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn url(stub: &Stub) -> String {
    format!("https://localhost:{}/v1/traces", stub.address.port())
}

fn failure(outcome: Outcome) -> (FailureKind, String) {
    match outcome {
        Outcome::Retry(failure, None) => (failure.kind, failure.sentence),
        other => panic!("{other:?}"),
    }
}

/// The own authority and client certificate serve both protocols.
#[test]
fn an_own_authority_and_a_client_certificate_are_used() {
    let pki = Pki::new("mutual");
    for http2 in [false, true] {
        let stub = pki.stub(true, http2);
        let config = if http2 {
            grpc(&url(&stub))
        } else {
            http(&url(&stub))
        };
        let exporter = Exporter::start(pki.presenting(pki.trusting(config)));
        exporter.export(2);
        exporter.export(2);
        assert_eq!(exporter.count("exported"), 4, "{:?}", exporter.lines());
        assert_eq!(stub.connections(), 1);
    }
}

/// A server of an unknown authority, or under another name, gets nothing.
#[test]
fn an_unknown_authority_or_name_is_refused() {
    let (ours, theirs) = (Pki::new("ours"), Pki::new("theirs"));
    let stub = theirs.stub(false, false);
    let (kind, sentence) = failure(attempt(ours.trusting(http(&url(&stub)))));
    assert_eq!(kind, FailureKind::Tls);
    assert!(
        sentence.contains("OTEL_EXPORTER_OTLP_CERTIFICATE"),
        "{sentence}"
    );
    let by_address = format!("https://{}/v1/traces", stub.address);
    let (kind, _) = failure(attempt(theirs.trusting(http(&by_address))));
    assert_eq!(kind, FailureKind::Tls);
    assert!(stub.seen().is_empty());
}

/// A server that wants a client certificate and gets none says so in the sentence.
#[test]
fn a_missing_client_certificate_is_named() {
    let pki = Pki::new("missing");
    for http2 in [false, true] {
        let stub = pki.stub(true, http2);
        let config = if http2 {
            grpc(&url(&stub))
        } else {
            http(&url(&stub))
        };
        let (_, sentence) = failure(attempt(pki.trusting(config)));
        assert!(sentence.contains("CLIENT_CERTIFICATE"), "{sentence}");
    }
}

/// A renewed authority is read after a failure, without a restart.
#[test]
fn a_renewed_certificate_is_picked_up() {
    let (old, new) = (Pki::new("old"), Pki::new("new"));
    let stub = new.stub(false, false);
    let exporter = Exporter::start(old.trusting(http(&url(&stub))));
    crate::emit(exporter.pipeline, 1);
    let worker = exporter.pipelines.worker.get().unwrap();
    crate::wait_until("a failed attempt", || {
        worker
            .health(_native::export::Signal::Traces)
            .unwrap()
            .consecutive_failures
            > 0
    });
    std::fs::copy(new.folder.join("ca.pem"), old.folder.join("ca.pem")).unwrap();
    exporter.export(0);
    assert_eq!(exporter.count("exported"), 1);
}

/// A half-set or unreadable client certificate is found before anything is sent.
#[test]
fn wrong_files_are_found_at_the_start() {
    let pki = Pki::new("files");
    let https = "https://localhost:1/v1/traces";
    let mut config = pki.presenting(http(https));
    config.client_key_file = None;
    let error = config.validate().err().unwrap();
    assert!(error.contains("OTEL_EXPORTER_OTLP_CLIENT_KEY"), "{error}");
    config.client_key_file = Some(pki.file("server", "key"));
    let error = pki.trusting(config).validate().err().unwrap();
    assert!(error.contains("does not fit"), "{error}");
    let mut config = http(https);
    config.ca_file = Some(pki.file("server", "key"));
    let error = config.validate().err().unwrap();
    assert!(error.contains("OTEL_EXPORTER_OTLP_CERTIFICATE"), "{error}");
}

/// TLS to a plain port is a sentence about TLS.
#[test]
fn tls_to_a_plain_port_is_named() {
    let pki = Pki::new("plain");
    let stub = Stub::http([Reply::http(200)]);
    let (kind, sentence) = failure(attempt(pki.trusting(http(&url(&stub)))));
    assert_eq!(kind, FailureKind::Tls, "{sentence}");
}
