//! Metrics as OTLP export requests, each within a limit of bytes.
//!
//! Data points arrive one after the other, encoded, below a scope and a metric that
//! were named before. A request that would grow too large ends between two points, and
//! the next one begins with the same resource, scope and metric.
//! Source of the field numbers: opentelemetry-proto, metrics/v1/metrics.proto.

use crate::proto;

/// A whole `ExportMetricsServiceRequest`, and how many data points it holds.
pub type Request = (Vec<u8>, u64);

/// What stands around the data points of one metric.
pub struct MetricHead {
    /// Name, description and unit: fields 1 to 3 of `Metric`, tags included.
    pub head: Vec<u8>,
    /// The field of `Metric` that holds its data: 5 is a gauge, 7 a sum…
    pub data_field: u32,
    /// What follows the points in the data: temporality, and whether it only grows.
    pub tail: Vec<u8>,
}

/// The scope of what follows, as fields of `ScopeMetrics`, tags included.
#[derive(Default)]
pub struct ScopeHead {
    pub head: Vec<u8>,
    pub tail: Vec<u8>,
}

/// Writes requests.
pub struct Requests<'a> {
    /// The body of a `Resource` message.
    resource: &'a [u8],
    limit_bytes: usize,
    done: Vec<Request>,
    out: Vec<u8>,
    points: u64,
    scope: ScopeHead,
    metric: Option<MetricHead>,
    /// The open messages: of the resource, the scope, the metric and its data.
    resource_mark: Option<usize>,
    scope_mark: Option<usize>,
    metric_marks: Option<(usize, usize)>,
}

impl<'a> Requests<'a> {
    pub fn new(resource: &'a [u8], limit_bytes: usize) -> Self {
        Requests {
            resource,
            limit_bytes,
            done: Vec::new(),
            out: Vec::new(),
            points: 0,
            scope: ScopeHead::default(),
            metric: None,
            resource_mark: None,
            scope_mark: None,
            metric_marks: None,
        }
    }

    /// What follows is of this scope.
    pub fn scope(&mut self, scope: ScopeHead) {
        self.close_scope();
        self.scope = scope;
        self.metric = None;
    }

    /// What follows are points of this metric.
    pub fn metric(&mut self, metric: MetricHead) {
        self.close_metric();
        self.metric = Some(metric);
    }

    /// Adds a data point: the body of its message. Before the first metric it is lost.
    pub fn point(&mut self, body: &[u8]) {
        if self.points > 0 && self.out.len() + body.len() > self.limit_bytes {
            self.end_request();
        }
        if self.open() {
            proto::bytes_field(&mut self.out, 1, body);
            self.points += 1;
        }
    }

    /// All requests; none where there was no point.
    pub fn finish(mut self) -> Vec<Request> {
        self.end_request();
        self.done
    }

    fn open(&mut self) -> bool {
        let Some(metric) = &self.metric else {
            return false;
        };
        let out = &mut self.out;
        if self.resource_mark.is_none() {
            self.resource_mark = Some(proto::open(out, 1));
            proto::bytes_field(out, 1, self.resource);
        }
        if self.scope_mark.is_none() {
            self.scope_mark = Some(proto::open(out, 2));
            out.extend_from_slice(&self.scope.head);
        }
        if self.metric_marks.is_none() {
            let mark = proto::open(out, 2);
            out.extend_from_slice(&metric.head);
            self.metric_marks = Some((mark, proto::open(out, metric.data_field)));
        }
        true
    }

    fn close_metric(&mut self) {
        if let (Some((mark, data)), Some(metric)) = (self.metric_marks.take(), &self.metric) {
            self.out.extend_from_slice(&metric.tail);
            proto::close(&mut self.out, data);
            proto::close(&mut self.out, mark);
        }
    }

    fn close_scope(&mut self) {
        self.close_metric();
        if let Some(mark) = self.scope_mark.take() {
            self.out.extend_from_slice(&self.scope.tail);
            proto::close(&mut self.out, mark);
        }
    }

    fn end_request(&mut self) {
        self.close_scope();
        if let Some(mark) = self.resource_mark.take() {
            proto::close(&mut self.out, mark);
            let points = std::mem::take(&mut self.points);
            self.done.push((std::mem::take(&mut self.out), points));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gauge(name: &str) -> MetricHead {
        let mut head = Vec::new();
        proto::bytes_field(&mut head, 1, name.as_bytes());
        MetricHead {
            head,
            data_field: 5,
            tail: Vec::new(),
        }
    }

    /// A scope or a metric without a point leaves no byte behind.
    #[test]
    fn what_holds_no_point_is_not_sent() {
        let mut requests = Requests::new(b"r", 100);
        requests.scope(ScopeHead::default());
        requests.metric(gauge("empty"));
        assert!(requests.finish().is_empty());
    }

    /// Every request keeps to the limit, but for one that a single point exceeds, and
    /// each point is in one of them.
    #[test]
    fn a_request_ends_before_it_is_too_large() {
        let mut requests = Requests::new(b"resource", 200);
        requests.scope(ScopeHead::default());
        requests.metric(gauge("size"));
        for _ in 0..100 {
            requests.point(&[7; 30]);
        }
        requests.point(&[7; 500]);
        let done = requests.finish();
        assert_eq!(done.iter().map(|(_, points)| points).sum::<u64>(), 101);
        let (last, rest) = done.split_last().unwrap();
        assert_eq!(last.1, 1);
        for (request, points) in rest {
            assert!(request.len() <= 200 && *points > 1, "{}", request.len());
        }
    }
}
