//! One OTLP target: requests over one kept connection.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::Full;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, HeaderValue, PROXY_AUTHORIZATION, TE,
};
use hyper::{Method, Request, Uri, Version};
use rustls::ClientConfig;

use super::config::{ExportConfig, Protocol, Target};
use super::connection::{Answer, Connection, failure};
use super::{Failure, FailureKind, Outcome, Sink, grpc, http, tls};

/// Sends to the target of an [`ExportConfig`]. Lives on the exporter's thread.
pub struct OtlpSink {
    config: ExportConfig,
    target: Target,
    headers: HeaderMap,
    uri: Uri,
    /// Read from disk for the first connection, and again after a failure: a
    /// renewed certificate is picked up without a restart.
    tls: Option<Arc<ClientConfig>>,
    /// `None` while an attempt uses it: an attempt that is cut leaves none behind.
    connection: Option<Connection>,
    connected: bool,
    /// Requests that were begun and have no answer.
    unanswered: u64,
}

impl OtlpSink {
    /// `target` is what [`ExportConfig::validate`] made of `config`.
    pub fn new(config: ExportConfig, target: Target) -> Result<Self, String> {
        let mut headers = target.headers.clone();
        let scheme = if target.tls { "https" } else { "http" };
        // HTTP/1.1 names the host in a header, HTTP/2 in the URI.
        let uri = match config.protocol {
            Protocol::HttpProtobuf => {
                let host = HeaderValue::from_str(&target.authority)
                    .map_err(|_| format!("{} has an unusable host.", target.shown))?;
                headers.insert(HOST, host);
                headers.insert(
                    CONTENT_TYPE,
                    HeaderValue::from_static("application/x-protobuf"),
                );
                if config.gzip {
                    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                }
                match &target.proxy {
                    Some(proxy) if !target.is_tunnelled(config.protocol) => {
                        if let Some(authorization) = &proxy.authorization {
                            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
                        }
                        format!("http://{}{}", target.authority, target.path)
                    }
                    _ => target.path.clone(),
                }
            }
            Protocol::Grpc => {
                headers.insert(TE, HeaderValue::from_static("trailers"));
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
                // At most eight digits and a unit: a limit over 27 hours is none.
                let timeout_ms = config.timeout.as_millis().min(99_999_999);
                if let Ok(timeout) = HeaderValue::from_str(&format!("{timeout_ms}m")) {
                    headers.insert("grpc-timeout", timeout);
                }
                if config.gzip {
                    headers.insert("grpc-encoding", HeaderValue::from_static("gzip"));
                    headers.insert("grpc-accept-encoding", HeaderValue::from_static("gzip"));
                }
                format!("{scheme}://{}{}", target.authority, target.path)
            }
        };
        let uri = uri
            .parse()
            .map_err(|_| format!("{} has an unusable path.", target.shown))?;
        Ok(OtlpSink {
            config,
            target,
            headers,
            uri,
            tls: None,
            connection: None,
            connected: false,
            unanswered: 0,
        })
    }

    fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        *request.version_mut() = match self.config.protocol {
            Protocol::HttpProtobuf => Version::HTTP_11,
            Protocol::Grpc => Version::HTTP_2,
        };
        request
    }

    async fn attempt(&mut self, body: Bytes) -> Result<Answer, Failure> {
        self.connected = false;
        if let Some(mut connection) = self.connection.take() {
            self.connected = true;
            if connection.is_open().await {
                // Servers close idle connections, also at the moment of our
                // request: a failure here says nothing yet.
                // A dropped future leaves it counted.
                self.unanswered += 1;
                if let Ok(answer) = connection.exchange(self.request(body.clone())).await {
                    self.unanswered -= 1;
                    self.connection = answer.whole.then_some(connection);
                    return Ok(answer);
                }
            }
            self.connected = false;
        }
        let tls = self.tls()?;
        let mut connection = Connection::open(&self.target, self.config.protocol, tls).await?;
        self.connected = true;
        let request = self.request(body);
        self.unanswered += 1;
        match connection.exchange(request).await {
            Ok(answer) => {
                self.unanswered -= 1;
                self.connection = answer.whole.then_some(connection);
                Ok(answer)
            }
            Err(error) => Err(failure(&error, &self.target, self.config.protocol)),
        }
    }

    fn tls(&mut self) -> Result<Option<Arc<ClientConfig>>, Failure> {
        if self.target.tls && self.tls.is_none() {
            let read = tls::client_config(&self.config).map_err(|sentence| Failure {
                kind: FailureKind::Tls,
                sentence,
            })?;
            self.tls = Some(read);
        }
        Ok(self.tls.clone())
    }
}

impl Sink for OtlpSink {
    fn prepare(&self, request: Bytes) -> Bytes {
        let message = match self.config.gzip {
            true => gzip(&request).into(),
            false => request,
        };
        match self.config.protocol {
            Protocol::HttpProtobuf => message,
            Protocol::Grpc => grpc::frame(&message, self.config.gzip).into(),
        }
    }

    async fn send(&mut self, body: Bytes) -> Outcome {
        let limit = self.config.timeout;
        let attempt = tokio::time::timeout(limit, self.attempt(body)).await;
        match attempt {
            Ok(Ok(answer)) => match self.config.protocol {
                Protocol::HttpProtobuf => http::outcome(&answer, &self.target),
                Protocol::Grpc => grpc::outcome(&answer, &self.target),
            },
            Ok(Err(failure)) => {
                self.tls = None;
                Outcome::Retry(failure, None)
            }
            Err(_) => {
                self.tls = None;
                let (shown, limit_s) = (&self.target.shown, limit.as_secs_f64());
                let what = match self.connected {
                    true => "No answer from",
                    false => "No connection to",
                };
                let failure = Failure {
                    kind: FailureKind::Timeout,
                    sentence: format!(
                        "{what} {shown} within {limit_s} s, the limit of \
                         OTEL_EXPORTER_OTLP_TIMEOUT."
                    ),
                };
                Outcome::Retry(failure, None)
            }
        }
    }

    fn take_unanswered(&mut self) -> u64 {
        std::mem::take(&mut self.unanswered)
    }

    fn target(&self) -> &str {
        &self.target.shown
    }
}

/// At the fastest level: spans shrink to an eighth of their size with it, and
/// the better levels cost several times the CPU for a few percent more.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    // Writing into memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
