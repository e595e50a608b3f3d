//! An HTTP proxy on the way: plain HTTP is handed to it, the rest is tunnelled.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

use _native::export::{FailureKind, Outcome};

use crate::stub::{Reply, Stub};
use crate::tls::Pki;
use crate::{attempt, grpc, http};

/// A proxy that opens one tunnel, or answers `refusal`; gives the head it got.
fn proxy(refusal: Option<&'static str>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://me:hunter2@{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        for line in BufReader::new(client.try_clone().unwrap()).lines() {
            match line.unwrap() {
                line if line.is_empty() => break,
                line => head.push(line),
            }
        }
        if let Some(refusal) = refusal {
            client.write_all(refusal.as_bytes()).unwrap();
            return head;
        }
        let to = head[0].split(' ').nth(1).unwrap();
        let mut server = TcpStream::connect(to).unwrap();
        client
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .unwrap();
        let (mut from_server, mut to_client) =
            (server.try_clone().unwrap(), client.try_clone().unwrap());
        let back = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from_server, &mut to_client);
        });
        let _ = std::io::copy(&mut client, &mut server);
        let _ = server.shutdown(std::net::Shutdown::Both);
        back.join().unwrap();
        head
    });
    (url, thread)
}

const CREDENTIALS: &str = "Basic bWU6aHVudGVyMg==";

/// TLS and gRPC go through a tunnel, with the proxy's credentials for the proxy alone.
#[test]
fn a_tunnel_carries_tls_and_grpc() {
    let pki = Pki::new("proxy");
    let (secure, plain) = (pki.stub(false, false), Stub::grpc([Reply::grpc(0, b"")]));
    let url = format!("https://localhost:{}/v1/traces", secure.address.port());
    for (mut config, stub) in [
        (pki.trusting(http(&url)), &secure),
        (grpc(&plain.url("")), &plain),
    ] {
        let (proxy_url, thread) = proxy(None);
        config.proxy = Some(proxy_url);
        let outcome = attempt(config);
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        let head = thread.join().unwrap();
        assert!(head[0].starts_with("CONNECT "), "{head:?}");
        assert!(head.contains(&format!("Proxy-Authorization: {CREDENTIALS}")));
        assert_eq!(stub.seen()[0].header("proxy-authorization"), "");
    }
}

/// Plain HTTP is handed to the proxy with the target's whole address.
#[test]
fn plain_http_is_handed_to_the_proxy() {
    let proxy = Stub::http([Reply::http(200)]);
    let mut config = http("http://collector.invalid:4318/v1/traces");
    config.proxy = Some(format!("http://me:hunter2@{}", proxy.address));
    assert!(matches!(attempt(config), Outcome::Accepted { .. }));
    let seen = proxy.seen();
    assert_eq!(seen[0].uri, "http://collector.invalid:4318/v1/traces");
    assert_eq!(seen[0].header("host"), "collector.invalid:4318");
    assert_eq!(seen[0].header("proxy-authorization"), CREDENTIALS);
}

/// A proxy that refuses is a failed attempt that names it, without its password.
#[test]
fn a_refusing_proxy_is_named() {
    for refusal in [
        "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        "no\r\n\r\n",
        "",
    ] {
        let (proxy_url, thread) = proxy(Some(refusal));
        let mut config = grpc("http://collector.invalid:4317");
        config.proxy = Some(proxy_url);
        match attempt(config) {
            Outcome::Retry(failure, None) => {
                assert_eq!(failure.kind, FailureKind::Unreachable);
                assert!(failure.sentence.contains("NO_PROXY"), "{failure:?}");
                assert!(!failure.sentence.contains("hunter2"), "{failure:?}");
            }
            other => panic!("{other:?}"),
        }
        thread.join().unwrap();
    }
}
