//! How many spans one core encodes and sends over loopback HTTP, and whether
//! memory stays flat: `cargo bench --no-default-features --bench export`.
//!
//! The server is a thread that reads and answers without looking. CPU is the
//! kernel's run time of the encoding and of the exporting thread
//! (`/proc/self/task/*/schedstat`), so the server and a busy machine count for
//! nothing. Linux only.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use _native::export::{Envelope, ExportConfig, Protocol, Setup, Signal, ensure_worker, shutdown};
use _native::pipeline::{Pipelines, register_scope, snapshot};
use _native::proto;

const SPANS: u64 = 3_000_000;

fn main() {
    for gzip in [false, true] {
        run(gzip);
    }
}

fn run(gzip: bool) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            serve(stream.unwrap());
        }
    });
    let pipelines: &'static Pipelines = Box::leak(Box::new(Pipelines::new(Default::default())));
    let pipeline = &pipelines.spans;
    let mut config = ExportConfig::new(Signal::Traces, Protocol::HttpProtobuf, &url);
    config.gzip = gzip;
    let setup = Setup::new(config, Envelope::default()).unwrap();
    ensure_worker(pipelines, || vec![setup]);
    let scope = register_scope(b"\x0a\x05bench", "");

    let mut span_bytes = 0;
    let (cpu, wall) = (cpu_s(), Instant::now());
    let mut warm_kib = 0;
    for number in 0..SPANS {
        while pipeline.waiting().0 > 8 << 20 {
            std::thread::sleep(Duration::from_millis(1));
        }
        pipeline.emit(scope, |out| {
            let before = out.len();
            span(out, number);
            span_bytes = out.len() - before;
        });
        if number == SPANS / 3 {
            warm_kib = resident_kib();
        }
    }
    assert!(pipeline.flush(Instant::now() + Duration::from_secs(60)));
    let (cpu, wall) = (cpu_s() - cpu, wall.elapsed().as_secs_f64());
    let kib = resident_kib();
    assert_eq!(snapshot(pipeline)["exported"], SPANS);
    println!(
        "gzip {gzip}: {SPANS} spans of {span_bytes} bytes; {:.0} spans per CPU second (encode \
         and send), {:.0} per second of wall time; resident {warm_kib} KiB after a third, \
         {kib} KiB at the end",
        SPANS as f64 / cpu,
        SPANS as f64 / wall,
    );
    assert!(shutdown(pipelines, Instant::now() + Duration::from_secs(5)));
}

/// A server span as a request makes it: eight attributes.
fn span(out: &mut Vec<u8>, number: u64) {
    let mark = proto::open(out, 2);
    let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    proto::bytes_field(out, 1, &[id, id].concat());
    proto::bytes_field(out, 2, &id);
    proto::bytes_field(out, 5, b"GET /orders/{order_id}");
    proto::varint_field(out, 6, 2);
    proto::fixed64_field(out, 7, 1_700_000_000_000_000_000 + number * 1000);
    proto::fixed64_field(out, 8, 1_700_000_000_000_500_000 + number * 1000);
    for (key, value) in [
        ("http.request.method", "GET"),
        ("url.scheme", "http"),
        ("url.path", "/orders/1234567"),
        ("server.address", "shop.example.com"),
        ("http.route", "/orders/{order_id}"),
        ("user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)"),
    ] {
        proto::string_attribute(out, 9, key.as_bytes(), value.as_bytes());
    }
    proto::int_attribute(out, 9, b"http.response.status_code", 200);
    proto::int_attribute(out, 9, b"server.port", 443);
    proto::close(out, mark);
}

fn serve(mut stream: TcpStream) {
    let mut buffer = vec![0; 1 << 20];
    let mut held = 0;
    loop {
        // Head, then as many bytes of body as it says.
        let head_end = loop {
            if let Some(at) = buffer[..held].windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            match stream.read(&mut buffer[held..]) {
                Ok(0) | Err(_) => return,
                Ok(read) => held += read,
            }
        };
        let head = String::from_utf8_lossy(&buffer[..head_end]).to_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap();
        let length: usize = length.split('\r').next().unwrap().parse().unwrap();
        let mut missing = length.saturating_sub(held - head_end);
        while missing > 0 {
            let room = missing.min(buffer.len());
            match stream.read(&mut buffer[..room]) {
                Ok(0) | Err(_) => return,
                Ok(read) => missing -= read,
            }
        }
        held = 0;
        if stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .is_err()
        {
            return;
        }
    }
}

/// Run time of this thread and of the exporter's, in seconds.
fn cpu_s() -> f64 {
    let own = std::fs::read_link("/proc/thread-self").unwrap();
    let own = own.file_name().unwrap().to_owned();
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .map(|task| task.unwrap().path())
        .filter(|task| {
            let name = std::fs::read_to_string(task.join("comm")).unwrap_or_default();
            task.file_name().unwrap() == own || name.trim() == "clarity-export"
        })
        .map(|task| {
            let stat = std::fs::read_to_string(task.join("schedstat")).unwrap();
            stat.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
        })
        .sum()
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.unwrap().trim().trim_end_matches(" kB");
    figure.parse().unwrap()
}
