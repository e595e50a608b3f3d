//! What the user set, checked: [`ExportConfig`] -> [`Target`].

use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

use super::proxy::Proxy;
use super::retry::RetryPolicy;
use super::text::{base64_encode, percent_decode};
use super::{Signal, tls};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    HttpProtobuf,
    Grpc,
}

/// The settings of one signal's export, as plain data. It has no `Debug`: the
/// headers and the endpoint may hold secrets.
#[derive(Clone)]
pub struct ExportConfig {
    pub signal: Signal,
    pub protocol: Protocol,
    /// HTTP: the whole URL, path included. gRPC: scheme, host and port; without
    /// a scheme `insecure` decides.
    pub endpoint: String,
    pub headers: Vec<(String, String)>,
    /// One attempt, from name lookup to the last byte of the answer.
    pub timeout: Duration,
    pub gzip: bool,
    /// gRPC without TLS where the endpoint has no scheme.
    pub insecure: bool,
    /// PEM. Takes the place of the system's certificate authorities.
    pub ca_file: Option<PathBuf>,
    /// PEM, for mutual TLS; both or neither.
    pub client_certificate_file: Option<PathBuf>,
    pub client_key_file: Option<PathBuf>,
    /// The URL of an HTTP proxy; see [`super::proxy::from_environment`].
    pub proxy: Option<String>,
    pub retry: RetryPolicy,
    pub user_agent: String,
}

impl ExportConfig {
    /// The specification's defaults for a target.
    pub fn new(signal: Signal, protocol: Protocol, endpoint: &str) -> Self {
        ExportConfig {
            signal,
            protocol,
            endpoint: endpoint.to_owned(),
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            gzip: false,
            insecure: false,
            ca_file: None,
            client_certificate_file: None,
            client_key_file: None,
            proxy: None,
            retry: RetryPolicy::default(),
            user_agent: concat!("OTel-OTLP-Exporter-Clarity/", env!("CARGO_PKG_VERSION")).into(),
        }
    }

    /// Checks everything that can be checked without the network, and says in a
    /// sentence which setting is wrong. The files are read: a missing
    /// certificate is found when the process starts, not with the first span.
    /// The system's authorities are left to the first connection (5 ms).
    pub fn validate(&self) -> Result<Target, String> {
        let target = Target::new(self)?;
        if self.timeout.is_zero() {
            return Err("OTEL_EXPORTER_OTLP_TIMEOUT must be more than 0.".into());
        }
        let files = [
            &self.ca_file,
            &self.client_certificate_file,
            &self.client_key_file,
        ];
        if target.tls && files.iter().any(|file| file.is_some()) {
            tls::client_config(self)?;
        }
        Ok(target)
    }
}

/// An endpoint taken apart, with the headers of every request.
#[derive(Clone)]
pub struct Target {
    pub tls: bool,
    /// As connected to: without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
    /// Host and port as in the endpoint, for the Host header and `:authority`.
    pub authority: String,
    pub path: String,
    pub headers: HeaderMap,
    pub proxy: Option<Proxy>,
    /// The endpoint without credentials and query.
    pub shown: String,
    /// What must not appear in any message.
    pub secrets: Vec<String>,
}

/// The client sets these itself; a second one would break the request.
const RESERVED: [&str; 11] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

impl Target {
    fn new(config: &ExportConfig) -> Result<Self, String> {
        let grpc = config.protocol == Protocol::Grpc;
        let given = config.endpoint.trim();
        let url = match (given.contains("://"), grpc) {
            (true, _) => given.to_owned(),
            (false, true) if config.insecure => format!("http://{given}"),
            (false, true) => format!("https://{given}"),
            (false, false) => {
                return Err(format!(
                    "OTEL_EXPORTER_OTLP_ENDPOINT is {:?}, without http:// or https:// in front.",
                    without_secrets(given)
                ));
            }
        };
        let shown = without_secrets(&url);
        let wrong = |what: &str| {
            format!(
                "OTEL_EXPORTER_OTLP_ENDPOINT is {shown:?}: {what}. It should look like {}.",
                if grpc {
                    "http://localhost:4317"
                } else {
                    "http://localhost:4318"
                }
            )
        };
        // Fragments never leave the client; `Uri` does not know them.
        let uri: Uri = url
            .split('#')
            .next()
            .unwrap_or_default()
            .parse()
            .map_err(|_| wrong("that is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("its scheme is not http or https")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it has no host"))?;
        let host = uri.host().unwrap_or_default();
        if host.is_empty() {
            return Err(wrong("it has no host"));
        }
        let port = match (uri.port_u16(), authority.as_str().ends_with(host)) {
            (Some(port @ 1..), _) => port,
            (None, true) if grpc => 4317,
            (None, true) if tls => 443,
            (None, true) => 80,
            _ => return Err(wrong("its port is not a number from 1 to 65535")),
        };
        let mut secrets = Vec::new();
        let mut headers = checked_headers(config, &mut secrets)?;
        if let Some((user, _)) = authority.as_str().rsplit_once('@') {
            secrets.push(user.to_owned());
            if let Some((_, password)) = user.split_once(':') {
                secrets.push(password.to_owned());
            }
            let basic = format!("Basic {}", base64_encode(&percent_decode(user)));
            let mut basic = HeaderValue::try_from(basic).map_err(|_| wrong("bad credentials"))?;
            basic.set_sensitive(true);
            headers.entry(AUTHORIZATION).or_insert(basic);
        }
        if let Some((user, _)) = config.proxy.as_ref().and_then(|url| url.rsplit_once('@')) {
            secrets.extend(user.split("://").map(str::to_owned).skip(1));
        }
        if let Some(query) = uri.query() {
            secrets.push(query.to_owned());
        }
        let path = match uri.path_and_query() {
            _ if grpc => config.signal.grpc_path().to_owned(),
            Some(path) => path.as_str().to_owned(),
            None => "/".to_owned(),
        };
        let explicit = uri.port().is_some() || grpc;
        Ok(Target {
            tls,
            host: host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned(),
            port,
            authority: if explicit {
                format!("{host}:{port}")
            } else {
                host.to_owned()
            },
            path,
            headers,
            proxy: config.proxy.as_deref().map(Proxy::parse).transpose()?,
            shown,
            secrets,
        })
    }
}

impl Target {
    /// Whether a proxy is asked for a tunnel. Plain HTTP is handed to it instead:
    /// many open tunnels to port 443 only.
    pub fn is_tunnelled(&self, protocol: Protocol) -> bool {
        self.tls || protocol == Protocol::Grpc
    }

    /// The host as it stands in a URL: an IPv6 address in brackets.
    pub fn authority_host(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        }
    }
}

fn checked_headers(config: &ExportConfig, secrets: &mut Vec<String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    let agent = HeaderValue::from_str(&config.user_agent)
        .map_err(|_| "The exporter's user agent holds a control character.".to_owned())?;
    headers.insert(USER_AGENT, agent);
    for (given, value) in &config.headers {
        let name = HeaderName::from_bytes(given.trim().as_bytes()).map_err(|_| {
            format!("OTEL_EXPORTER_OTLP_HEADERS has a header whose name is not valid: {given:?}.")
        })?;
        if RESERVED.contains(&name.as_str()) {
            return Err(format!(
                "OTEL_EXPORTER_OTLP_HEADERS must not set {name:?}: the exporter sets it itself."
            ));
        }
        let mut checked = HeaderValue::from_bytes(value.trim().as_bytes()).map_err(|_| {
            format!(
                "OTEL_EXPORTER_OTLP_HEADERS: the value of {name:?} holds a control character \
                 or a line break."
            )
        })?;
        checked.set_sensitive(true);
        headers.insert(name, checked);
        secrets.push(value.trim().to_owned());
        // "Bearer abc", "Basic abc": the second word alone is as secret.
        secrets.extend(value.split_whitespace().skip(1).map(str::to_owned));
    }
    Ok(headers)
}

/// A URL as it may be shown: no user, no password, no query, no fragment.
pub fn without_secrets(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), url),
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    // A password may hold a slash by mistake: cut at the last '@' of them all.
    let rest = rest.rsplit('@').next().unwrap_or_default();
    format!("{scheme}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn http(endpoint: &str) -> ExportConfig {
        ExportConfig::new(Signal::Traces, Protocol::HttpProtobuf, endpoint)
    }

    fn grpc(endpoint: &str) -> ExportConfig {
        ExportConfig::new(Signal::Traces, Protocol::Grpc, endpoint)
    }

    /// The endpoint decides host, port, path, TLS, and the authority.
    #[test]
    fn an_endpoint_is_taken_apart() {
        let target = http("http://[::1]:4318/v1/traces?x=1").validate().unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 4318));
        assert_eq!(target.authority, "[::1]:4318");
        assert_eq!(target.path, "/v1/traces?x=1");
        assert!(!target.tls);
        let target = http("http://otel.example/v1/traces").validate().unwrap();
        assert_eq!(
            (target.authority.as_str(), target.port),
            ("otel.example", 80)
        );
        assert_eq!(http("http://otel.example").validate().unwrap().path, "/");
        let target = grpc("http://collector").validate().unwrap();
        assert_eq!(
            (target.authority.as_str(), target.port),
            ("collector:4317", 4317)
        );
        assert_eq!(target.path, Signal::Traces.grpc_path());
    }

    /// Without a scheme, `insecure` decides for gRPC; HTTP needs one.
    #[test]
    fn a_scheme_may_be_missing_only_for_grpc() {
        let mut config = grpc("collector:4317");
        config.insecure = true;
        assert!(!config.validate().unwrap().tls);
        config.insecure = false;
        assert!(Target::new(&config).unwrap().tls);
        let error = http("collector:4318").validate().err().unwrap();
        assert!(error.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{error}");
    }

    /// What cannot work is refused with the setting's name and without its secrets.
    #[test]
    fn a_wrong_setting_is_named_and_its_secret_is_not() {
        for endpoint in [
            "",
            "http://",
            "ftp://user:hunter2@host/",
            "http://user:hunter2@:4318/?hunter2",
            "http://host:99999/hunter2@x",
            "http://host:0",
            "http://host:",
            "http://ho st#hunter2",
            "unix:///tmp/x",
        ] {
            let error = http(endpoint).validate().err().expect(endpoint);
            assert!(error.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        for (name, value) in [
            ("a b", "hunter2"),
            ("ok", "hunter2\r\nx: y"),
            ("Host", "hunter2"),
        ] {
            let mut config = http("http://localhost:4318/v1/traces");
            config.headers = vec![(name.into(), value.into())];
            let error = config.validate().err().expect(name);
            assert!(error.contains("OTEL_EXPORTER_OTLP_HEADERS"), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let mut config = http("https://localhost:4318/v1/traces");
        config.ca_file = Some("/nowhere/ca.pem".into());
        let error = config.validate().err().unwrap();
        assert!(error.contains("OTEL_EXPORTER_OTLP_CERTIFICATE"), "{error}");
        assert!(error.contains("/nowhere/ca.pem"), "{error}");
    }

    /// Credentials in the URL become Basic authentication, unless a header says otherwise.
    #[test]
    fn credentials_in_the_url_become_a_header() {
        let mut config = http("http://us%40er:pa%2Fss@host:4318/v1/traces");
        let target = config.validate().unwrap();
        // "us@er:pa/ss" in base64.
        assert_eq!(target.headers["authorization"], "Basic dXNAZXI6cGEvc3M=");
        assert_eq!(target.authority, "host:4318");
        assert_eq!(target.shown, "http://host:4318/v1/traces");
        config.headers = vec![("Authorization".into(), "Bearer t".into())];
        let target = config.validate().unwrap();
        assert_eq!(target.headers["authorization"], "Bearer t");
    }
}
