//! The channel catalog: read completely before normalize starts, then followed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use throughline_kafka::client::ClientOptions;
use throughline_kafka::table::TableReader;
use throughline_normalize::Catalog;

use crate::error::ServiceError;

/// The latest catalog; shared with the normalize workers.
#[derive(Debug, Default)]
pub struct CatalogCell {
    latest: Mutex<Arc<Catalog>>,
}

impl CatalogCell {
    /// The latest catalog.
    #[must_use]
    pub fn latest(&self) -> Arc<Catalog> {
        Arc::clone(&self.latest.lock().expect("no panic while holding the catalog"))
    }

    fn replace(&self, catalog: Catalog) {
        *self.latest.lock().expect("no panic while holding the catalog") = Arc::new(catalog);
    }
}

/// How long the first complete read may take.
const FIRST_READ: Duration = Duration::from_secs(60);

/// Reads the topics completely and starts a thread that follows them until `stop`. A topic that does not exist is an empty
/// catalog.
///
/// # Errors
/// If it cannot be read in time.
pub fn follow(client: &ClientOptions, topics: &[String], stop: &Arc<AtomicBool>) -> Result<Arc<CatalogCell>, ServiceError> {
    let cell = Arc::new(CatalogCell::default());
    let mut readers = Vec::new();
    for topic in topics {
        let opened = TableReader::open(client, "throughline-catalog", topic)
            .map_err(|error| ServiceError::Unreachable(error.to_string()))?;
        match opened {
            Some(reader) => readers.push(reader),
            None => tracing::info!(topic, "no catalog topic, stores have no zones and channels no hours"),
        }
    }
    let mut catalog = Catalog::default();
    let deadline = Instant::now() + FIRST_READ;
    for reader in &mut readers {
        while !step(reader, &mut catalog, Duration::from_millis(200))?.1 {
            if Instant::now() > deadline {
                return Err(ServiceError::Unreachable("the channel catalog could not be read in a minute".into()));
            }
        }
    }
    tracing::info!(rows = catalog.len(), "channel catalog read");
    cell.replace(catalog.clone());
    if !readers.is_empty() {
        let (cell, stop) = (Arc::clone(&cell), Arc::clone(stop));
        std::thread::Builder::new()
            .name("catalog".to_owned())
            .spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    let mut changed = false;
                    for reader in &mut readers {
                        match step(reader, &mut catalog, Duration::from_millis(500)) {
                            Ok((records, _)) => changed |= records > 0,
                            Err(error) => tracing::warn!(%error, "channel catalog"),
                        }
                    }
                    if changed {
                        cell.replace(catalog.clone());
                    }
                }
            })
            .map_err(|error| ServiceError::Unexpected(error.to_string()))?;
    }
    Ok(cell)
}

/// Reads on; returns how many records came and whether the end was reached once.
fn step(reader: &mut TableReader, catalog: &mut Catalog, budget: Duration) -> Result<(usize, bool), ServiceError> {
    let mut records = 0;
    let ended = reader.step(budget, |key, value| {
        records += 1;
        if let Err(rejection) = catalog.apply(key, value) {
            tracing::warn!(
                key = %String::from_utf8_lossy(key),
                reason = rejection.reason.as_str(),
                detail = %rejection.detail,
                "catalog row ignored"
            );
        }
    });
    ended.map(|ended| (records, ended)).map_err(|error| ServiceError::Unexpected(error.to_string()))
}
