//! One kept-alive connection: HTTP/1.1, or HTTP/2 for gRPC, plain or with TLS.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::header::HeaderMap;
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use super::config::{Protocol, Target};
use super::text::printable;
use super::{Failure, FailureKind};

/// More of an answer is not read: a partial success or a status is far smaller.
pub const ANSWER_LIMIT_BYTES: usize = 64 << 10;

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

pub struct Connection {
    sender: Sender,
    /// Moves the bytes. It runs only while the exporter's thread waits for an
    /// answer; in between, the kernel holds what comes.
    driver: JoinHandle<hyper::Result<()>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// An answer, read to its end or to [`ANSWER_LIMIT_BYTES`].
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: HeaderMap,
    /// The connection may serve another request.
    pub whole: bool,
}

impl Connection {
    /// Looks the host up, connects, and shakes hands.
    pub async fn open(
        target: &Target,
        protocol: Protocol,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, Failure> {
        let advice = match &target.proxy {
            None => "Is a Collector running there? OTEL_EXPORTER_OTLP_ENDPOINT names it.",
            Some(_) => "That is the proxy; NO_PROXY names hosts that are reached without it.",
        };
        let unreachable = |what: String| Failure {
            kind: FailureKind::Unreachable,
            sentence: format!("{what}. {advice}"),
        };
        let (name, shown) = match &target.proxy {
            None => ((target.host.as_str(), target.port), &target.shown),
            Some(proxy) => ((proxy.host.as_str(), proxy.port), &proxy.shown),
        };
        let addresses: Vec<_> = lookup_host(name)
            .await
            .map_err(|error| unreachable(format!("The host of {shown} is not found ({error})")))?
            .collect();
        let mut stream = TcpStream::connect(&addresses[..])
            .await
            .map_err(|error| unreachable(format!("No connection to {shown} ({error})")))?;
        // A batch is written whole: waiting for more to send only adds latency.
        let _ = stream.set_nodelay(true);
        if let Some(proxy) = target
            .proxy
            .as_ref()
            .filter(|_| target.is_tunnelled(protocol))
        {
            proxy.tunnel(&mut stream, target).await?;
        }
        let Some(tls) = tls else {
            return Self::handshake(stream, target, protocol).await;
        };
        let host = ServerName::try_from(target.host.clone())
            .map_err(|error| unreachable(format!("{} is no host name ({error})", target.host)))?;
        let stream = TlsConnector::from(tls)
            .connect(host, stream)
            .await
            .map_err(|error| failure(&error, target, protocol))?;
        Self::handshake(stream, target, protocol).await
    }

    async fn handshake(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
        target: &Target,
        protocol: Protocol,
    ) -> Result<Self, Failure> {
        let io = TokioIo::new(stream);
        let failed = |error: hyper::Error| failure(&error, target, protocol);
        Ok(match protocol {
            Protocol::HttpProtobuf => {
                let (sender, driver) = http1::handshake(io).await.map_err(failed)?;
                Connection {
                    sender: Sender::Http1(sender),
                    driver: tokio::spawn(driver),
                }
            }
            Protocol::Grpc => {
                let (sender, driver) = http2::handshake(TokioExecutor::new(), io)
                    .await
                    .map_err(failed)?;
                Connection {
                    sender: Sender::Http2(sender),
                    driver: tokio::spawn(driver),
                }
            }
        })
    }

    /// False when the peer has closed the connection while nobody looked.
    pub async fn is_open(&mut self) -> bool {
        // The first turn lets the runtime ask the kernel, the second lets the
        // driver read what came.
        for _ in 0..2 {
            tokio::task::yield_now().await;
        }
        match &mut self.sender {
            Sender::Http1(sender) => sender.ready().await.is_ok(),
            Sender::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    pub async fn exchange(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
        let response = match &mut self.sender {
            Sender::Http1(sender) => sender.send_request(request).await,
            Sender::Http2(sender) => sender.send_request(request).await,
        };
        match response {
            Ok(response) => read(response).await,
            // The driver is gone and knows why: a TLS alert, for one.
            Err(error) if error.is_canceled() || error.is_closed() => {
                match (&mut self.driver).await {
                    Ok(Err(cause)) => Err(cause),
                    _ => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}

async fn read(response: Response<Incoming>) -> hyper::Result<Answer> {
    let (head, mut incoming) = response.into_parts();
    let mut answer = Answer {
        status: head.status,
        headers: head.headers,
        body: Vec::new(),
        trailers: HeaderMap::new(),
        whole: true,
    };
    while let Some(frame) = incoming.frame().await {
        match frame?.into_data() {
            Ok(data) => {
                let room = ANSWER_LIMIT_BYTES - answer.body.len();
                answer.body.extend_from_slice(&data[..data.len().min(room)]);
                if data.len() > room {
                    answer.whole = false;
                    break;
                }
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    answer.trailers = trailers;
                }
            }
        }
    }
    Ok(answer)
}

/// A broken exchange in words.
pub fn failure(
    error: &(dyn Error + Send + Sync + 'static),
    target: &Target,
    protocol: Protocol,
) -> Failure {
    let mut words: Vec<String> = Vec::new();
    let (mut tls, mut io) = (false, false);
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        // HTTP/2 passes a TLS alert on as words only.
        tls |= error.is::<rustls::Error>() || target.tls && text.contains("fatal alert");
        // Wrappers like to repeat what they wrap.
        if !words.iter().any(|known| known.contains(&text)) {
            words.push(text);
        }
        // An io::Error hides the error it was made of from `source`.
        let inner = error.downcast_ref::<std::io::Error>().map(|error| {
            io = true;
            error.get_ref()
        });
        next = match inner {
            Some(Some(inner)) => Some(inner),
            _ => error.source(),
        };
    }
    let why = printable(&words.join(": "), &target.secrets);
    let shown = &target.shown;
    if tls {
        return Failure {
            kind: FailureKind::Tls,
            sentence: format!(
                "No secure connection to {shown} ({why}). OTEL_EXPORTER_OTLP_CERTIFICATE names \
                 the authority to trust, OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY \
                 what to show; http:// is for targets without TLS."
            ),
        };
    }
    let (speaks, other) = match protocol {
        Protocol::HttpProtobuf => ("OTLP over HTTP", "grpc"),
        Protocol::Grpc => ("OTLP over gRPC", "http/protobuf"),
    };
    // With TLS 1.3 the client speaks before the server has looked at its
    // certificate: a refusal may arrive as nothing but a closed connection.
    let certificate = match target.tls {
        true => {
            " A target that wants a client certificate breaks off too: \
                 OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE."
        }
        false => "",
    };
    Failure {
        kind: if io {
            FailureKind::Unreachable
        } else {
            FailureKind::Protocol
        },
        sentence: format!(
            "The exchange with {shown} broke off ({why}). Does that port speak {speaks}? \
             OTEL_EXPORTER_OTLP_PROTOCOL={other} is for the other kind.{certificate}"
        ),
    }
}
