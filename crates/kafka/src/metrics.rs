//! Metrics of workers and pipeline.
