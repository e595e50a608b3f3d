//! The attributes of a server span that are known when its request starts.
//!
//! Names: stable HTTP semantic conventions (server spans).

use parking_lot::Mutex;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use super::headers::Headers;
use crate::attributes::SpanAttributes;
use crate::http_method;
use crate::mask::encoded;
use crate::propagation::trace_id_hex;
use crate::redact;
use crate::repeated::{Repeated, push_repeated};
use crate::span::Span;
use crate::values::with_text;

/// `user_agent.original` by header value: a service meets few at a time.
static AGENTS: Mutex<Repeated<64>> = Mutex::new(Repeated::new());
/// `server.address` and `server.port` by the value of `Host`.
static HOSTS: Mutex<Repeated<8>> = Mutex::new(Repeated::new());

pub fn describe<'py>(
    span: &mut Span,
    scope: &Bound<'py, PyDict>,
    headers: &Headers<'py>,
    method: Option<&Bound<'py, PyString>>,
    known: bool,
) -> PyResult<()> {
    let py = scope.py();
    let trace_id = span.trace_id;
    // A typical server span's attributes take 400 to 600 bytes.
    span.attributes = SpanAttributes::with_buffer(Vec::with_capacity(640));
    let attributes = &mut span.attributes;
    if let Some(method) = method {
        http_method::push(attributes, method, known);
    }
    if let Some(Ok(path)) = scope
        .get_item(intern!(py, "path"))?
        .map(|p| p.cast_into::<PyString>())
    {
        with_text(&path, None, |path| {
            push_masked(attributes, "url.path", path)
        });
    }
    if let Some(Ok(query)) = scope
        .get_item(intern!(py, "query_string"))?
        .map(|q| q.cast_into::<PyBytes>())
    {
        let query = query.as_bytes();
        if !query.is_empty() {
            let mut clean = Vec::with_capacity(query.len());
            redact::query(&mut clean, query);
            push_header(attributes, "url.query", &clean);
        }
    }
    if let Some(proto) = headers.proxied_scheme() {
        attributes.push_str("url.scheme", proto);
    } else if let Some(Ok(scheme)) = scope
        .get_item(intern!(py, "scheme"))?
        .map(|s| s.cast_into::<PyString>())
    {
        push_text(attributes, "url.scheme", &scheme);
    }
    if let Some(Ok(version)) = scope
        .get_item(intern!(py, "http_version"))?
        .map(|v| v.cast_into::<PyString>())
    {
        push_text(attributes, "network.protocol.version", &version);
    }
    push_server(attributes, scope, headers)?;
    push_client(attributes, scope, headers)?;
    if let Some(agent) = &headers.user_agent {
        let agent = agent.as_bytes();
        push_repeated(attributes, &AGENTS, agent, |attributes| {
            push_header(attributes, "user_agent.original", agent);
        });
    }
    match &span.correlation {
        Some(id) => push_text(attributes, "correlation.id", id.bind(py)),
        None => attributes.push_str("correlation.id", &trace_id_hex(trace_id)),
    }
    // Methods, schemes, versions, addresses of sockets and ids hold no secret.
    attributes.mark_checked();
    Ok(())
}

#[inline]
fn push_text(attributes: &mut SpanAttributes, key: &str, value: &Bound<'_, PyString>) {
    with_text(value, None, |value| {
        attributes.push_str(key, value.as_bytes())
    });
}

/// Header bytes as UTF-8, masked; what is not UTF-8 becomes U+FFFD.
fn push_header(attributes: &mut SpanAttributes, key: &str, value: &[u8]) {
    match std::str::from_utf8(value) {
        Ok(text) => push_masked(attributes, key, text),
        Err(_) => push_masked(attributes, key, &String::from_utf8_lossy(value)),
    }
}

/// What a client chose, masked here, so that the span's end need not look at it.
fn push_masked(attributes: &mut SpanAttributes, key: &str, text: &str) {
    match encoded::text(text) {
        Some(masked) => attributes.push_str(key, masked.as_bytes()),
        None => attributes.push_str(key, text.as_bytes()),
    }
}

/// (address, port) of the scope's `client` or `server`; either may be missing.
fn address<'py>(
    scope: &Bound<'py, PyDict>,
    key: &Bound<'py, PyString>,
) -> PyResult<Option<(Bound<'py, PyString>, Option<i64>)>> {
    let Some(pair) = scope.get_item(key)? else {
        return Ok(None);
    };
    if pair.is_none() {
        return Ok(None);
    }
    let item = |at: usize| match pair.cast::<PyTuple>() {
        Ok(pair) => pair.get_item(at),
        Err(_) => pair.get_item(at),
    };
    let (Ok(host), Ok(port)) = (item(0), item(1)) else {
        return Ok(None);
    };
    let Ok(host) = host.cast_into::<PyString>() else {
        return Ok(None);
    };
    Ok(Some((host, port.extract().ok())))
}

fn push_server(
    attributes: &mut SpanAttributes,
    scope: &Bound<'_, PyDict>,
    headers: &Headers<'_>,
) -> PyResult<()> {
    if let Some(host) = headers.proxied_host() {
        push_host(attributes, host);
        return Ok(());
    }
    let mut given_port = false;
    let host = headers.host.as_ref().map(|h| h.as_bytes());
    if let Some(host) = host.filter(|host| !host.is_empty()) {
        let before = attributes.len();
        push_repeated(attributes, &HOSTS, host, |attributes| {
            push_host(attributes, host)
        });
        given_port = attributes.len() - before == 2;
    }
    if given_port {
        return Ok(());
    }
    if let Some((address, port)) = address(scope, intern!(scope.py(), "server"))? {
        if host.is_none_or(<[u8]>::is_empty) {
            push_text(attributes, "server.address", &address);
        }
        if let Some(port) = port {
            attributes.push_int("server.port", port);
        }
    }
    Ok(())
}

/// A `Host` value: its address, and its port where it names one.
fn push_host(attributes: &mut SpanAttributes, host: &[u8]) {
    let (address, port) = redact::host_and_port(host);
    push_header(attributes, "server.address", address);
    if let Some(port) = port {
        attributes.push_int("server.port", i64::from(port));
    }
}

fn push_client(
    attributes: &mut SpanAttributes,
    scope: &Bound<'_, PyDict>,
    headers: &Headers<'_>,
) -> PyResult<()> {
    let peer = address(scope, intern!(scope.py(), "client"))?;
    match (headers.proxied_client(), peer) {
        (Some(client), peer) => {
            push_header(attributes, "client.address", client);
            // A server that trusts its proxy has put the client in the peer's place.
            let peer = peer.filter(|(host, _)| host.to_string_lossy().as_bytes() != client);
            if let Some((host, port)) = peer {
                push_text(attributes, "network.peer.address", &host);
                if let Some(port) = port {
                    attributes.push_int("network.peer.port", port);
                }
            }
        }
        (None, Some((host, port))) => {
            push_text(attributes, "client.address", &host);
            if let Some(port) = port {
                attributes.push_int("client.port", port);
            }
        }
        (None, None) => {}
    }
    Ok(())
}
