//! What is known of a request (its facts, as the server's scope and headers have them),
//! and the attributes that a server span gets of it.
//!
//! Names: stable HTTP semantic conventions (server spans).

use std::cell::RefCell;

use super::sections;
use crate::attributes::SpanAttributes;
use crate::http_method;
use crate::mask::encoded;
use crate::propagation::trace_id_hex;
use crate::redact;
use crate::repeated::{Repeated, push_repeated};

/// The tags of the sections of facts. Text is UTF-8, a header's value what came, a number
/// eight bytes, little-endian.
pub mod fact {
    pub const METHOD: u8 = 1;
    /// A method that is not known.
    pub const OTHER_METHOD: u8 = 2;
    pub const PATH: u8 = 3;
    pub const QUERY: u8 = 4;
    pub const SCHEME: u8 = 5;
    pub const HTTP_VERSION: u8 = 6;
    /// The sockets' ends; the port of each is the tag after it.
    pub const SERVER: u8 = 7;
    pub const SERVER_PORT: u8 = 8;
    pub const CLIENT: u8 = 9;
    pub const CLIENT_PORT: u8 = 10;
    pub const HOST: u8 = 11;
    pub const USER_AGENT: u8 = 12;
    pub const FORWARDED: u8 = 13;
    pub const FORWARDED_FOR: u8 = 14;
    pub const FORWARDED_PROTO: u8 = 15;
    pub const FORWARDED_HOST: u8 = 16;
    pub const CORRELATION: u8 = 17;
    pub const STATUS: u8 = 18;
    pub const ERROR: u8 = 19;
    pub const ROUTE: u8 = 20;
}

thread_local! {
    /// `user_agent.original` by header value: a service meets few at a time.
    static AGENTS: RefCell<Repeated<64>> = const { RefCell::new(Repeated::new()) };
    /// `server.address` and `server.port` by the value of `Host`.
    static HOSTS: RefCell<Repeated<8>> = const { RefCell::new(Repeated::new()) };
}

/// What proxies say of the client's side of a request.
#[derive(Clone, Copy, Default)]
pub struct Forwarding<'a> {
    pub forwarded: Option<&'a [u8]>,
    pub forwarded_for: Option<&'a [u8]>,
    pub forwarded_proto: Option<&'a [u8]>,
    pub forwarded_host: Option<&'a [u8]>,
}

impl<'a> Forwarding<'a> {
    /// The host that the client asked a proxy for.
    fn host(&self) -> Option<&'a [u8]> {
        let host = match (self.forwarded, self.forwarded_host) {
            (None, None) => None,
            (Some(forwarded), _) => {
                let first = forwarded.split(|b| *b == b',').next()?;
                redact::parameter(first, b"host")
            }
            (None, Some(host)) => host.split(|b| *b == b',').next(),
        };
        host.map(<[u8]>::trim_ascii)
            .filter(|host| (1..=255).contains(&host.len()))
    }

    /// The scheme that the client used towards a proxy.
    pub fn scheme(&self) -> Option<&'a [u8]> {
        let scheme = match (self.forwarded_proto, self.forwarded) {
            (None, None) => return None,
            // A proxy behind another one may add its own after it.
            (Some(proto), _) => proto.split(|b| *b == b',').next()?.trim_ascii(),
            (None, Some(forwarded)) => {
                let first = forwarded.split(|b| *b == b',').next()?;
                redact::parameter(first, b"proto")?
            }
        };
        matches!(scheme, b"http" | b"https" | b"ws" | b"wss").then_some(scheme)
    }

    /// The client's address as a proxy tells it.
    fn client(&self) -> Option<&'a [u8]> {
        match (self.forwarded, self.forwarded_for) {
            (Some(value), _) => redact::forwarded_client(value, true),
            (None, Some(value)) => redact::forwarded_client(value, false),
            (None, None) => None,
        }
    }
}

#[derive(Default)]
struct Facts<'a> {
    /// And whether it is known.
    method: Option<(&'a [u8], bool)>,
    path: Option<&'a [u8]>,
    query: &'a [u8],
    scheme: Option<&'a [u8]>,
    http_version: Option<&'a [u8]>,
    server: Option<&'a [u8]>,
    server_port: Option<i64>,
    client: Option<&'a [u8]>,
    client_port: Option<i64>,
    host: &'a [u8],
    user_agent: Option<&'a [u8]>,
    forwarding: Forwarding<'a>,
    correlation: Option<&'a [u8]>,
    status: Option<i64>,
    error: Option<&'a [u8]>,
    route: Option<&'a [u8]>,
}

impl<'a> Facts<'a> {
    fn read(bytes: &'a [u8]) -> Self {
        let mut facts = Facts::default();
        for (tag, value) in sections(bytes) {
            let number = || value.first_chunk().copied().map(i64::from_le_bytes);
            match tag {
                fact::METHOD => facts.method = Some((value, true)),
                fact::OTHER_METHOD => facts.method = Some((value, false)),
                fact::PATH => facts.path = Some(value),
                fact::QUERY => facts.query = value,
                fact::SCHEME => facts.scheme = Some(value),
                fact::HTTP_VERSION => facts.http_version = Some(value),
                fact::SERVER => facts.server = Some(value),
                fact::SERVER_PORT => facts.server_port = number(),
                fact::CLIENT => facts.client = Some(value),
                fact::CLIENT_PORT => facts.client_port = number(),
                fact::HOST => facts.host = value,
                fact::USER_AGENT => facts.user_agent = Some(value),
                fact::FORWARDED => facts.forwarding.forwarded = Some(value),
                fact::FORWARDED_FOR => facts.forwarding.forwarded_for = Some(value),
                fact::FORWARDED_PROTO => facts.forwarding.forwarded_proto = Some(value),
                fact::FORWARDED_HOST => facts.forwarding.forwarded_host = Some(value),
                fact::CORRELATION => facts.correlation = Some(value),
                fact::STATUS => facts.status = number(),
                fact::ERROR => facts.error = Some(value),
                fact::ROUTE => facts.route = Some(value),
                _ => {}
            }
        }
        facts
    }
}

/// Appends the attributes that the facts make; what a client chose is masked.
pub fn describe(facts: &[u8], trace_id: u128, attributes: &mut SpanAttributes) {
    let facts = Facts::read(facts);
    if let Some((method, is_known)) = facts.method {
        http_method::push(attributes, method, is_known);
    }
    if let Some(path) = facts.path {
        push_masked(attributes, "url.path", path);
    }
    if !facts.query.is_empty() {
        let mut clean = Vec::with_capacity(facts.query.len());
        redact::query(&mut clean, facts.query);
        push_masked(attributes, "url.query", &clean);
    }
    if let Some(scheme) = facts.forwarding.scheme().or(facts.scheme) {
        attributes.push_str("url.scheme", scheme);
    }
    if let Some(version) = facts.http_version {
        attributes.push_str("network.protocol.version", version);
    }
    push_server(attributes, &facts);
    push_client(attributes, &facts);
    if let Some(agent) = facts.user_agent {
        AGENTS.with_borrow_mut(|agents| {
            push_repeated(attributes, agents, agent, |attributes| {
                push_masked(attributes, "user_agent.original", agent);
            });
        });
    }
    match facts.correlation {
        Some(id) => attributes.push_str("correlation.id", id),
        None => attributes.push_str("correlation.id", &trace_id_hex(trace_id)),
    }
    if let Some(status) = facts.status {
        attributes.push_int("http.response.status_code", status);
    }
    if let Some(error) = facts.error {
        attributes.push_str("error.type", error);
    }
    if let Some(route) = facts.route {
        attributes.push_str("http.route", route);
    }
    // Methods, schemes, versions, addresses of sockets, ids, classes and templates of the
    // code hold no secret.
    attributes.mark_checked();
}

/// Text that a client chose; what is not UTF-8 becomes U+FFFD.
fn push_masked(attributes: &mut SpanAttributes, key: &str, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    match encoded::text(&text) {
        Some(masked) => attributes.push_str(key, masked.as_bytes()),
        None => attributes.push_str(key, text.as_bytes()),
    }
}

fn push_server(attributes: &mut SpanAttributes, facts: &Facts<'_>) {
    if let Some(host) = facts.forwarding.host() {
        push_host(attributes, host);
        return;
    }
    if !facts.host.is_empty() {
        let before = attributes.len();
        HOSTS.with_borrow_mut(|hosts| {
            push_repeated(attributes, hosts, facts.host, |attributes| {
                push_host(attributes, facts.host);
            });
        });
        if attributes.len() - before == 2 {
            return;
        }
    } else if let Some(address) = facts.server {
        attributes.push_str("server.address", address);
    }
    if let Some(port) = facts.server_port {
        attributes.push_int("server.port", port);
    }
}

/// A `Host` value: its address, and its port where it names one.
fn push_host(attributes: &mut SpanAttributes, host: &[u8]) {
    let (address, port) = redact::host_and_port(host);
    push_masked(attributes, "server.address", address);
    if let Some(port) = port {
        attributes.push_int("server.port", i64::from(port));
    }
}

fn push_client(attributes: &mut SpanAttributes, facts: &Facts<'_>) {
    let Some(client) = facts.forwarding.client() else {
        if let Some(host) = facts.client {
            attributes.push_str("client.address", host);
            if let Some(port) = facts.client_port {
                attributes.push_int("client.port", port);
            }
        }
        return;
    };
    push_masked(attributes, "client.address", client);
    // A server that trusts its proxy has put the client in the peer's place.
    if let Some(host) = facts.client.filter(|host| *host != client) {
        attributes.push_str("network.peer.address", host);
        if let Some(port) = facts.client_port {
            attributes.push_int("network.peer.port", port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::put;
    use super::*;

    fn described(facts: &[(u8, &[u8])]) -> Vec<(String, Vec<u8>)> {
        let mut bytes = Vec::new();
        for (tag, value) in facts {
            put(&mut bytes, *tag, value);
        }
        let mut attributes = SpanAttributes::new();
        describe(&bytes, 1, &mut attributes);
        assert!(attributes.is_checked());
        attributes
            .iter()
            .map(|(key, value)| (String::from_utf8(key.to_vec()).unwrap(), value.to_vec()))
            .collect()
    }

    fn text_of(described: &[(String, Vec<u8>)], key: &str) -> Option<String> {
        let value = &described.iter().find(|(known, _)| known == key)?.1;
        // Field 1 of an AnyValue, one byte of length.
        Some(String::from_utf8_lossy(&value[2..]).into_owned())
    }

    /// A port in `Host` counts more than the socket's, and a host without one gets it.
    #[test]
    fn the_socket_s_port_stands_in_for_one_that_host_does_not_name() {
        let port = 8000i64.to_le_bytes();
        let named = described(&[(fact::HOST, b"shop:80"), (fact::SERVER_PORT, &port)]);
        let keys: Vec<_> = named.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["server.address", "server.port", "correlation.id"]);
        assert_eq!(named[1].1, [0x18, 80 | 0x80, 0]);
        let unnamed = described(&[(fact::HOST, b"shop"), (fact::SERVER_PORT, &port)]);
        assert_eq!(unnamed[1].1, [0x18, 8000u32 as u8 & 0x7f | 0x80, 62]);
    }

    /// A proxy's word stands before the socket's, which becomes the peer.
    #[test]
    fn a_proxy_s_client_makes_the_socket_s_the_peer() {
        let said = described(&[
            (fact::CLIENT, b"10.0.0.1"),
            (fact::FORWARDED_FOR, b"192.0.2.7, 10.0.0.9"),
            (fact::FORWARDED_PROTO, b"https"),
            (fact::SCHEME, b"http"),
        ]);
        assert_eq!(text_of(&said, "client.address").unwrap(), "192.0.2.7");
        assert_eq!(text_of(&said, "network.peer.address").unwrap(), "10.0.0.1");
        assert_eq!(text_of(&said, "url.scheme").unwrap(), "https");
    }

    /// What a client chose is masked, whatever it is.
    #[test]
    fn what_a_client_chose_is_masked() {
        let card = b"4111111111111111";
        let chosen = [
            (fact::PATH, "url.path"),
            (fact::QUERY, "url.query"),
            (fact::HOST, "server.address"),
            (fact::USER_AGENT, "user_agent.original"),
            (fact::OTHER_METHOD, "http.request.method_original"),
            (fact::FORWARDED_FOR, "client.address"),
        ];
        for (tag, key) in chosen {
            let said = described(&[(tag, card)]);
            assert_eq!(text_of(&said, key).unwrap(), "[masked:card]", "{key}");
        }
    }

    /// Bytes that are no facts describe nothing but the trace.
    #[test]
    fn damaged_facts_are_passed_over() {
        let said = described(&[(200, b"x"), (fact::STATUS, b"short")]);
        assert_eq!(said.len(), 1);
        let mut attributes = SpanAttributes::new();
        describe(&[fact::PATH, 255, 255, 255, 255, 1], 1, &mut attributes);
        assert_eq!(attributes.len(), 1);
    }
}
