//! Metrics of the interface itself.

use prometheus::core::Collector;
use prometheus::{HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry};

use crate::routes::Route;

/// Metrics of the interface. No label ever holds a customer, a query or a URL.
#[derive(Debug, Clone)]
pub struct ApiMetrics {
    /// Requests answered, by route and class of the status (`2xx`, `4xx`, `5xx`).
    requests: IntCounterVec,
    /// Seconds from request to answer, by route; an audit record is waited for inside.
    query_seconds: HistogramVec,
    /// Look-ups that were not answered because their audit record was not acknowledged.
    audit_failures: IntCounter,
}

// Look-ups take under a millisecond plus the audit record (a broker round trip); scans of millions of customers a second.
const QUERY_SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

impl ApiMetrics {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When the registry already has one of the names.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            requests: IntCounterVec::new(
                Opts::new(
                    "throughline_http_requests_total",
                    "Requests answered, by route and class of the status (2xx, 4xx, 5xx).",
                ),
                &["route", "status"],
            )?,
            query_seconds: HistogramVec::new(
                HistogramOpts::new(
                    "throughline_query_seconds",
                    "Seconds from request to answer, by route; an audit record is waited for inside.",
                )
                .buckets(QUERY_SECONDS.to_vec()),
                &["route"],
            )?,
            audit_failures: IntCounter::new(
                "throughline_audit_failures_total",
                "Look-ups that were not answered because their audit record was not acknowledged.",
            )?,
        };
        for collector in metrics.collectors() {
            registry.register(collector)?;
        }
        Ok(metrics)
    }

    /// Every metric, for the catalogue.
    #[must_use]
    pub fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.requests.clone()),
            Box::new(self.query_seconds.clone()),
            Box::new(self.audit_failures.clone()),
        ]
    }

    pub(crate) fn answered(&self, route: Route, status: u16, seconds: f64) {
        let class = match status {
            0..400 => "2xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        self.requests.with_label_values(&[route.as_str(), class]).inc();
        self.query_seconds.with_label_values(&[route.as_str()]).observe(seconds);
    }

    pub(crate) fn audit_failed(&self) {
        self.audit_failures.inc();
    }
}
