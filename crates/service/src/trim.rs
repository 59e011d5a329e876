//! The inbox is trimmed by its readers: what is committed and older than an hour is deleted once a minute.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use throughline_kafka::client::ClientOptions;
use throughline_kafka::driver::Control;
use throughline_kafka::trim::Trimmer;

use crate::error::ServiceError;
use crate::observer::now_millis;

const EVERY: Duration = Duration::from_secs(60);
const KEPT_MILLIS: i64 = 3_600_000;

/// Starts the thread that trims `topic` for as long as `stop` is not set. It looks at the partitions that the workers own.
///
/// # Errors
/// If it cannot be started.
pub fn start(
    client: &ClientOptions,
    group: &str,
    topic: &str,
    workers: Vec<Arc<Control>>,
    stop: &Arc<AtomicBool>,
) -> Result<(), ServiceError> {
    let unexpected = |error: &dyn std::fmt::Display| ServiceError::Unexpected(error.to_string());
    let trimmer = Trimmer::new(client, group, topic).map_err(|error| unexpected(&error))?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| unexpected(&error))?;
    let stop = Arc::clone(stop);
    std::thread::Builder::new()
        .name("trim".to_owned())
        .spawn(move || {
            let mut last = Instant::now();
            while !stop.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(200));
                if last.elapsed() < EVERY {
                    continue;
                }
                last = Instant::now();
                let partitions: Vec<i32> = workers
                    .iter()
                    .flat_map(|control| control.status().tasks)
                    .filter(|task| !task.restoring)
                    .map(|task| task.partition)
                    .collect();
                // A failure costs disk for a minute more, nothing else.
                if let Err(error) = runtime.block_on(trimmer.trim(&partitions, now_millis() - KEPT_MILLIS)) {
                    tracing::warn!(%error, "inbox not trimmed");
                }
            }
        })
        .map_err(|error| unexpected(&error))?;
    Ok(())
}
