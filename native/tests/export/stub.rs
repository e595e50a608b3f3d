//! A real OTLP server on loopback with scripted answers: HTTP/1.1 or HTTP/2,
//! plain or with TLS.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version, body::Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;

/// What the stub saw of one request.
pub struct Seen {
    pub version: Version,
    /// As in the request line: with scheme and host only towards a proxy.
    pub uri: String,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// One scripted answer.
#[derive(Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub trailers: Option<Vec<(&'static str, String)>>,
    /// Never answers.
    pub hang: bool,
}

impl Reply {
    pub fn http(status: u16) -> Self {
        Reply {
            status,
            ..Reply::default()
        }
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// A gRPC answer with `message` framed and the status in the trailers.
    pub fn grpc(status: u32, message: &[u8]) -> Self {
        let mut body = vec![0];
        body.extend_from_slice(&(message.len() as u32).to_be_bytes());
        body.extend_from_slice(message);
        Reply {
            trailers: Some(vec![("grpc-status", status.to_string())]),
            ..Reply::http(200)
                .header("content-type", "application/grpc")
                .body(&body)
        }
    }

    pub fn trailer(mut self, name: &'static str, value: &str) -> Self {
        let trailers = self.trailers.get_or_insert_default();
        trailers.push((name, value.to_owned()));
        self
    }

    pub fn hang() -> Self {
        Reply {
            hang: true,
            ..Reply::default()
        }
    }
}

#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Reply>>,
    last: Mutex<Reply>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
}

/// The server; it ends with this value.
pub struct Stub {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Stub {
    /// Answers with `script` in turn; the last answer is given for ever.
    pub fn http(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::start(script, false, None)
    }

    pub fn grpc(script: impl IntoIterator<Item = Reply>) -> Self {
        Self::start(script, true, None)
    }

    pub fn start(
        script: impl IntoIterator<Item = Reply>,
        http2: bool,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let shared = Arc::new(Shared::default());
        shared.script.lock().unwrap().extend(script);
        let (end, ended) = tokio::sync::oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let on_thread = shared.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let serve = async {
                    loop {
                        let (stream, _) = listener.accept().await.unwrap();
                        on_thread.connections.fetch_add(1, Ordering::SeqCst);
                        let (shared, tls) = (on_thread.clone(), tls.clone());
                        tokio::spawn(async move {
                            match tls {
                                None => serve(stream, http2, shared).await,
                                Some(tls) => {
                                    let accepted = TlsAcceptor::from(tls).accept(stream).await;
                                    if let Ok(stream) = accepted {
                                        serve(stream, http2, shared).await;
                                    }
                                }
                            }
                        });
                    }
                };
                // Whichever ends first: dropping the runtime closes all connections.
                let _ = tokio::time::timeout(Duration::from_secs(60), async {
                    let (mut serve, mut ended) = (std::pin::pin!(serve), ended);
                    std::future::poll_fn(|context| {
                        let _: std::task::Poll<()> = serve.as_mut().poll(context);
                        std::pin::Pin::new(&mut ended).poll(context)
                    })
                    .await
                })
                .await;
            });
        });
        Stub {
            address: told.recv().unwrap(),
            shared,
            end: Some(end),
            thread: Some(thread),
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn seen(&self) -> std::sync::MutexGuard<'_, Vec<Seen>> {
        self.shared.seen.lock().unwrap()
    }

    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        drop(self.end.take());
        let _ = self.thread.take().unwrap().join();
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    http2: bool,
    shared: Arc<Shared>,
) {
    let service = service_fn(move |request| answer(request, shared.clone()));
    let io = TokioIo::new(stream);
    if http2 {
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(io, service).await;
    } else {
        let server = hyper::server::conn::http1::Builder::new();
        let _ = server.serve_connection(io, service).await;
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<BoxBody<Bytes, Infallible>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    shared.seen.lock().unwrap().push(Seen {
        version: head.version,
        uri: head.uri.to_string(),
        path: head.uri.path().to_owned(),
        headers: head.headers,
        body,
    });
    let scripted = shared.script.lock().unwrap().pop_front();
    let reply = {
        let mut last = shared.last.lock().unwrap();
        if let Some(reply) = scripted {
            *last = reply;
        }
        last.clone()
    };
    if reply.hang {
        std::future::pending::<()>().await;
    }
    let body = Full::new(Bytes::from(reply.body));
    let body = match reply.trailers {
        None => body.boxed(),
        Some(trailers) => {
            let trailers = headers(trailers);
            body.with_trailers(async move { Some(Ok(trailers)) })
                .boxed()
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status.try_into().unwrap();
    response.headers_mut().extend(headers(reply.headers));
    Ok(response)
}

fn headers(pairs: Vec<(&'static str, String)>) -> HeaderMap {
    pairs
        .into_iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::try_from(value).unwrap(),
            )
        })
        .collect()
}
