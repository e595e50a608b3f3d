//! An HTTP proxy on the way to the target, as HTTPS_PROXY, HTTP_PROXY and
//! NO_PROXY name it for every other program of the machine.

use hyper::Uri;
use hyper::header::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::config::{Target, without_secrets};
use super::text::{base64_encode, percent_decode};
use super::{Failure, FailureKind};

#[derive(Clone)]
pub struct Proxy {
    pub host: String,
    pub port: u16,
    /// The value of Proxy-Authorization.
    pub authorization: Option<HeaderValue>,
    /// Without credentials.
    pub shown: String,
}

impl Proxy {
    /// Reads a proxy's URL; without a scheme it is taken for http.
    pub fn parse(url: &str) -> Result<Self, String> {
        let shown = without_secrets(url);
        let wrong = || {
            format!(
                "HTTPS_PROXY or HTTP_PROXY is {shown:?}, which is no http:// proxy: correct it, \
                 or name the exporter's host in NO_PROXY."
            )
        };
        let uri = match url.contains("://") {
            true => url.parse::<Uri>(),
            false => format!("http://{url}").parse(),
        };
        let uri = uri.map_err(|_| wrong())?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong());
        };
        let host = authority.host();
        if bare(host).is_empty() {
            return Err(wrong());
        }
        let port = match (authority.port_u16(), authority.as_str().ends_with(host)) {
            (Some(port @ 1..), _) => port,
            (None, true) => 80,
            _ => return Err(wrong()),
        };
        let user = authority.as_str().rsplit_once('@').map(|(user, _)| user);
        let authorization = user.filter(|user| !user.is_empty()).map(|user| {
            let basic = format!("Basic {}", base64_encode(&percent_decode(user)));
            HeaderValue::try_from(basic).map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        Ok(Proxy {
            host: bare(host).to_owned(),
            port,
            authorization: authorization.transpose().map_err(|_| wrong())?,
            shown,
        })
    }

    /// Asks the proxy for a tunnel to the target.
    pub async fn tunnel(&self, stream: &mut TcpStream, target: &Target) -> Result<(), Failure> {
        let to = format!("{}:{}", target.authority_host(), target.port);
        let mut request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n").into_bytes();
        if let Some(authorization) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(authorization.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        let failed = |why: String| Failure {
            kind: FailureKind::Unreachable,
            sentence: format!(
                "The proxy {} opens no way to {} ({why}). NO_PROXY names hosts that are reached \
                 without it.",
                self.shown, target.shown
            ),
        };
        let broken = |error: std::io::Error| failed(error.to_string());
        stream.write_all(&request).await.map_err(broken)?;
        // One byte at a time: what follows the head belongs to the tunnel.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.map_err(broken)?);
            if head.len() > 8 << 10 {
                return Err(failed("its answer has no end".into()));
            }
        }
        let head = String::from_utf8_lossy(&head);
        match head.split(' ').nth(1) {
            Some(status) if head.starts_with("HTTP/1.") && status.starts_with('2') => Ok(()),
            Some(status) if head.starts_with("HTTP/1.") => {
                Err(failed(format!("it answered {}", status.escape_debug())))
            }
            _ => Err(failed("it did not answer in HTTP".into())),
        }
    }
}

/// The proxy for an endpoint by the environment, read with `variable`: the
/// lower-case name counts before the upper-case one, also where it is empty. HTTP_PROXY in
/// upper case is not read where REQUEST_METHOD is set: in a CGI program a client sends it.
pub fn from_environment(
    endpoint: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    let either = |name: &str| {
        let lower = variable(&name.to_lowercase());
        let usable = name != "HTTP_PROXY" || variable("REQUEST_METHOD").is_none();
        let upper = || variable(name).filter(|_| usable);
        let value = lower.or_else(upper)?.trim().to_owned();
        (!value.is_empty()).then_some(value)
    };
    let uri: Uri = endpoint.parse().ok()?;
    let host = bare(uri.host()?).to_ascii_lowercase();
    let by_scheme = match uri.scheme_str() {
        Some("http") => either("HTTP_PROXY"),
        _ => either("HTTPS_PROXY"),
    };
    let proxy = by_scheme.or_else(|| either("ALL_PROXY"))?;
    let excluded = either("NO_PROXY").unwrap_or_default();
    let excluded = excluded.split(',').any(|entry| {
        let entry = entry.trim().to_ascii_lowercase();
        let (entry, port) = match entry.rsplit_once(':') {
            Some((name, port)) if !name.contains(':') || name.ends_with(']') => {
                let digits = port.bytes().all(|digit| digit.is_ascii_digit());
                let port = port.parse::<u16>().ok().filter(|_| digits);
                (name.to_owned(), port)
            }
            _ => (entry, None),
        };
        let entry = bare(entry.trim_start_matches("*."));
        let entry = entry.trim_start_matches('.');
        let same_host = entry == "*"
            || !entry.is_empty()
                && host
                    .strip_suffix(entry)
                    .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        same_host && port.is_none_or(|port| uri.port_u16() == Some(port))
    });
    (!excluded).then_some(proxy)
}

/// Without the brackets of an IPv6 address.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(endpoint: &str, variables: &[(&str, &str)]) -> Option<String> {
        from_environment(endpoint, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    /// The endpoint's scheme chooses the variable, and NO_PROXY excepts hosts.
    #[test]
    fn the_environment_names_the_proxy() {
        let both = [("HTTP_PROXY", "http://a:1"), ("https_proxy", "http://b:2")];
        assert_eq!(chosen("http://c:4318/x", &both).unwrap(), "http://a:1");
        assert_eq!(chosen("https://c/x", &both).unwrap(), "http://b:2");
        assert_eq!(chosen("https://c/x", &[("http_proxy", "http://a:1")]), None);
        let all = [("ALL_PROXY", "http://a:1")];
        assert_eq!(chosen("https://c", &all).unwrap(), "http://a:1");
        let off = [("HTTP_PROXY", "http://a:1"), ("http_proxy", "")];
        assert_eq!(chosen("http://c", &off), None);
        let padded = [("HTTP_PROXY", " http://a:1\n")];
        assert_eq!(chosen("http://c", &padded).unwrap(), "http://a:1");
        let cgi = [("HTTP_PROXY", "http://evil:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(chosen("http://c", &cgi), None);
        for (no_proxy, direct) in [
            ("", false),
            ("c.example", true),
            ("x, .example", true),
            ("*.example", true),
            ("*", true),
            ("ample", false),
            ("c.example:4318", true),
            ("c.example:9999", false),
            ("b.c.example", false),
        ] {
            let variables = [("http_proxy", "http://a:1"), ("NO_PROXY", no_proxy)];
            let found = chosen("http://C.example:4318/v1/traces", &variables);
            assert_eq!(found.is_none(), direct, "{no_proxy}");
        }
        let variables = [("http_proxy", "http://a:1"), ("NO_PROXY", "::1")];
        assert_eq!(chosen("http://[::1]:4318", &variables), None);
    }

    /// A proxy that cannot be used is named without its password.
    #[test]
    fn a_wrong_proxy_is_named_without_its_password() {
        assert_eq!(Proxy::parse("proxy:3128").unwrap().port, 3128);
        assert_eq!(Proxy::parse("http://proxy").unwrap().port, 80);
        assert!(
            Proxy::parse("http://@proxy")
                .unwrap()
                .authorization
                .is_none()
        );
        for url in [
            "socks5://u:hunter2@p:1",
            "http://u:hunter2@p:99999",
            "http://",
            ":",
            "http://u:hunter2@:3128",
        ] {
            let error = Proxy::parse(url).err().unwrap();
            assert!(error.contains("NO_PROXY"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
