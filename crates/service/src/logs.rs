//! Logs: structured lines on stderr.

use throughline_config::LogOptions;
use tracing_subscriber::EnvFilter;

/// Starts logging once; a second call changes nothing.
pub fn start(options: &LogOptions) {
    let filter = EnvFilter::builder().parse_lossy(format!("{},librdkafka=warn", options.level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A test that starts several services in one process has started logging already.
    let _ = if options.json { builder.json().try_init() } else { builder.try_init() };
}
