//! What is compared.

use std::time::Duration;

/// Where an engine keeps its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// In the memory of the process.
    Memory,
    /// RocksDB.
    RocksDb,
}

impl Store {
    /// The argument of the peers' programs.
    #[must_use]
    pub const fn argument(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::RocksDb => "rocksdb",
        }
    }
}

/// One system in one setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// `throughline run`, one worker a stage.
    Throughline,
    /// The bare transactional copy.
    Copy,
    /// Kafka Streams, exactly-once v2.
    Streams {
        /// Of the customers.
        store: Store,
        /// Stream threads.
        threads: u32,
    },
    /// Flink with snapshots (its `checkpoints`) and an exactly-once sink.
    Flink {
        /// Of the customers.
        store: Store,
        /// Parallelism.
        threads: u32,
        /// Interval of snapshots, which is that of its commits.
        interval: Duration,
    },
}

/// Everything that can be compared, with its name on the command line and in reports.
pub const ALL: &[(&str, System)] = &[
    ("throughline", System::Throughline),
    ("copy", System::Copy),
    ("streams-memory-1", System::Streams { store: Store::Memory, threads: 1 }),
    ("streams-memory-2", System::Streams { store: Store::Memory, threads: 2 }),
    ("streams-rocksdb-1", System::Streams { store: Store::RocksDb, threads: 1 }),
    ("streams-rocksdb-2", System::Streams { store: Store::RocksDb, threads: 2 }),
    ("flink-memory-100ms", flink(Store::Memory, 100)),
    ("flink-memory-1s", flink(Store::Memory, 1_000)),
    ("flink-rocksdb-100ms", flink(Store::RocksDb, 100)),
    ("flink-rocksdb-1s", flink(Store::RocksDb, 1_000)),
];

const fn flink(store: Store, millis: u64) -> System {
    System::Flink { store, threads: 2, interval: Duration::from_millis(millis) }
}

/// The system of a name.
///
/// # Errors
/// The names that there are.
pub fn named(name: &str) -> Result<(&'static str, System), String> {
    ALL.iter().find(|(known, _)| *known == name).copied().ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
        format!("one of {}", names.join(", "))
    })
}

/// What a name stands for, for a table.
#[must_use]
pub fn title(system: System) -> String {
    let place = |store| match store {
        Store::Memory => "in memory",
        Store::RocksDb => "RocksDB",
    };
    match system {
        System::Throughline => "Throughline, one worker a stage".to_owned(),
        System::Copy => "bare transactional copy".to_owned(),
        System::Streams { store, threads: 1 } => format!("Kafka Streams, {}, 1 thread", place(store)),
        System::Streams { store, threads } => format!("Kafka Streams, {}, {threads} threads", place(store)),
        System::Flink { store, interval, .. } => {
            format!("Flink, {}, every {} ms", place(store), interval.as_millis())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_titles_are_unique_and_names_are_found() {
        let mut titles: Vec<String> = ALL.iter().map(|(_, system)| title(*system)).collect();
        titles.sort();
        titles.dedup();
        assert_eq!(titles.len(), ALL.len());
        for (name, system) in ALL {
            assert_eq!(named(name), Ok((*name, *system)));
        }
        assert!(named("spark").is_err_and(|said| said.contains("flink-memory-1s")));
    }
}
