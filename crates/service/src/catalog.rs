//! The channel catalog: read completely before normalize starts, then followed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use throughline_kafka::client::ClientOptions;
use throughline_kafka::table::TableReader;
use throughline_normalize::Catalog;

use crate::error::ServiceError;
use crate::patience::patiently;

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

/// The catalog being read: bounded, because whoever may write the topic must not be able to fill the memory.
#[derive(Debug, Default)]
struct Growing {
    catalog: Catalog,
    /// Bytes of key and value of each row as it was read.
    sizes: HashMap<Vec<u8>, usize>,
    bytes: usize,
    limit_bytes: usize,
}

/// A row that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Full;

impl Growing {
    fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes: usize::try_from(limit_bytes).unwrap_or(usize::MAX), ..Self::default() }
    }

    /// Takes in a row. A row that cannot be read is reported and ignored; one that does not fit leaves everything as it is.
    fn apply(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), Full> {
        let held = self.sizes.get(key).copied().unwrap_or(0);
        let size = value.map_or(0, |value| key.len() + value.len());
        let bytes = self.bytes - held + size;
        if size > held && bytes > self.limit_bytes {
            return Err(Full);
        }
        if let Err(rejection) = self.catalog.apply(key, value) {
            tracing::warn!(
                key = %String::from_utf8_lossy(key),
                reason = rejection.reason.as_str(),
                detail = %rejection.detail,
                "catalog row ignored"
            );
            return Ok(());
        }
        self.bytes = bytes;
        if size == 0 {
            self.sizes.remove(key);
        } else {
            self.sizes.insert(key.to_vec(), size);
        }
        Ok(())
    }

    fn full(&self) -> String {
        format!(
            "the channel catalog is larger than limits.catalog ({} bytes); raise it, or remove rows",
            self.limit_bytes
        )
    }
}

/// Reads the topics completely and starts a thread that follows them until `stop`. A topic that does not exist is an empty
/// catalog. A catalog of more than `limit_bytes` is refused; a row that comes later and does not fit is left out.
///
/// # Errors
/// If it cannot be read in time, or is too large.
pub fn follow(
    client: &ClientOptions,
    topics: &[String],
    limit_bytes: u64,
    stop: &Arc<AtomicBool>,
) -> Result<Arc<CatalogCell>, ServiceError> {
    let cell = Arc::new(CatalogCell::default());
    let mut readers = Vec::new();
    for topic in topics {
        let opened = patiently(|| TableReader::open(client, "throughline-catalog", topic))
            .map_err(|error| ServiceError::Unreachable(error.to_string()))?;
        match opened {
            Some(reader) => readers.push(reader),
            None => tracing::info!(topic, "no catalog topic, stores have no zones and channels no hours"),
        }
    }
    let mut catalog = Growing::new(limit_bytes);
    let deadline = Instant::now() + FIRST_READ;
    for reader in &mut readers {
        loop {
            let read = step(reader, &mut catalog, Duration::from_millis(200))?;
            if read.refused > 0 {
                return Err(ServiceError::Configuration(catalog.full()));
            }
            if read.ended {
                break;
            }
            if Instant::now() > deadline {
                return Err(ServiceError::Unreachable("the channel catalog could not be read in a minute".into()));
            }
        }
    }
    tracing::info!(rows = catalog.catalog.len(), bytes = catalog.bytes, "channel catalog read");
    cell.replace(catalog.catalog.clone());
    if !readers.is_empty() {
        let (cell, stop) = (Arc::clone(&cell), Arc::clone(stop));
        std::thread::Builder::new()
            .name("catalog".to_owned())
            .spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    let mut changed = false;
                    for reader in &mut readers {
                        match step(reader, &mut catalog, Duration::from_millis(500)) {
                            Ok(read) => {
                                changed |= read.records > 0;
                                if read.refused > 0 {
                                    tracing::error!(rows = read.refused, "catalog rows left out: {}", catalog.full());
                                }
                            }
                            Err(error) => tracing::warn!(%error, "channel catalog"),
                        }
                    }
                    if changed {
                        cell.replace(catalog.catalog.clone());
                    }
                }
            })
            .map_err(|error| ServiceError::Unexpected(error.to_string()))?;
    }
    Ok(cell)
}

/// What one step of reading brought.
#[derive(Debug, Clone, Copy, Default)]
struct Read {
    records: usize,
    /// Rows that do not fit.
    refused: usize,
    /// Whether the end was reached once.
    ended: bool,
}

fn step(reader: &mut TableReader, catalog: &mut Growing, budget: Duration) -> Result<Read, ServiceError> {
    let mut read = Read::default();
    let ended = reader.step(budget, |key, value| {
        read.records += 1;
        read.refused += usize::from(catalog.apply(key, value).is_err());
    });
    read.ended = ended.map_err(|error| ServiceError::Unexpected(error.to_string()))?;
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &[u8] = br#"{"kind":"store","store":"s1","time_zone":"Europe/Berlin"}"#;

    #[test]
    fn a_row_that_does_not_fit_leaves_the_catalog_as_it_is() {
        let mut catalog = Growing::new((2 * (ROW.len() + 1)) as u64);
        assert_eq!(catalog.apply(b"a", Some(ROW)), Ok(()));
        assert_eq!(catalog.apply(b"b", Some(b"{\"kind\":\"fax\"}")), Ok(()), "a row that is not read is not counted");
        let other = std::str::from_utf8(ROW).expect("text").replace("s1", "s2");
        assert_eq!(catalog.apply(b"b", Some(other.as_bytes())), Ok(()));
        let third = other.replace("s2", "s3");
        assert_eq!(catalog.apply(b"c", Some(third.as_bytes())), Err(Full));
        assert_eq!(catalog.catalog.len(), 2);
        assert!(catalog.full().contains("limits.catalog"));
    }

    #[test]
    fn a_removed_row_makes_room() {
        let mut catalog = Growing::new((ROW.len() + 1) as u64);
        assert_eq!(catalog.apply(b"a", Some(ROW)), Ok(()));
        assert_eq!(catalog.apply(b"a", Some(ROW)), Ok(()), "the same row again replaces itself");
        assert_eq!(catalog.apply(b"a", None), Ok(()));
        let other = std::str::from_utf8(ROW).expect("text").replace("s1", "s2");
        assert_eq!(catalog.apply(b"b", Some(other.as_bytes())), Ok(()));
        assert_eq!((catalog.catalog.len(), catalog.bytes), (1, ROW.len() + 1));
    }
}
