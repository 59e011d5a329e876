//! What is in a local log or a changelog partition, for people: `throughline state`.
//!
//! Names no customer: node ids are keyed hashes already, and only those of the largest are shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use throughline_kafka::client::ClientOptions;
use throughline_kafka::local_log::format::{FileKind, Position};
use throughline_kafka::local_log::{Disk, Folder, Lock, LockError, Survey, latest, survey};
use throughline_model::NodeId;
use throughline_model::murmur2::partition_of;
use throughline_pipeline::header::StateHeader;
use throughline_pipeline::table;

use crate::error::ServiceError;

/// Customers shown by size.
const LARGEST: usize = 10;
/// Unreadable records shown.
const UNREADABLE_MAX: usize = 10;

/// One file of a local log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileReport {
    /// Its name.
    pub file: String,
    /// `snapshot` or `batches`.
    pub kind: &'static str,
    /// When it was begun, RFC 3339.
    pub created_at: String,
    /// Records, deletions included.
    pub records: u64,
    /// Bytes that count.
    pub bytes: u64,
}

/// Sizes of one part over all customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct PartReport {
    /// Customers that have it.
    pub customers: u64,
    /// Bytes of all.
    pub bytes: u64,
    /// Bytes of the largest.
    pub bytes_max: u64,
}

/// What the state was written with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeaderReport {
    /// Newest format of the parts.
    pub state_format: u32,
    /// Partitions of inbox and changelog.
    pub partitions: u32,
    /// Public name of the hash key.
    pub key_id: String,
    /// Model, `name@fold.read`.
    pub model: String,
    /// Partitioner.
    pub partitioner: String,
}

/// A large customer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LargeCustomer {
    /// Bytes of its parts.
    pub bytes: u64,
    /// Its id, a keyed hash.
    pub customer_id: String,
}

/// What one partition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Default)]
pub struct PartitionReport {
    /// `local_log` or `changelog`.
    pub source: &'static str,
    /// Folder of the log; absent for a changelog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Changelog topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// A process has the directory: the end of the last file may be half written.
    pub in_use: bool,
    /// Files of the log.
    pub files: Vec<FileReport>,
    /// Changelog offset from which on a restore reads; for a changelog its first offset.
    pub from_offset: Option<i64>,
    /// When that was true, RFC 3339; for a changelog absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// End of the changelog.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_offset: Option<i64>,
    /// Records read, deletions and replaced ones included.
    pub records: u64,
    /// Keys that have a value.
    pub keys: u64,
    /// Customers.
    pub customers: u64,
    /// Bytes of keys and values that hold.
    pub bytes: u64,
    /// What the state was written with.
    pub header: Option<HeaderReport>,
    /// By part.
    pub parts: BTreeMap<&'static str, PartReport>,
    /// Reserved keys and those of newer versions, by their first bytes, with the bytes of their values.
    pub other_keys: BTreeMap<String, u64>,
    /// The largest customers, largest first.
    pub largest: Vec<LargeCustomer>,
    /// What is wrong; empty if nothing is.
    pub problems: Vec<String>,
}

/// Reports on the local log in a directory: that of a deployment, of a topic, or of one partition.
///
/// # Errors
/// If there is no log in it, or it cannot be read.
pub fn local_log(directory: &Path) -> Result<Vec<PartitionReport>, ServiceError> {
    let unreadable = |error| ServiceError::Configuration(format!("cannot read {}: {error}", directory.display()));
    let folders = log_folders(directory).map_err(unreadable)?;
    if folders.is_empty() {
        return Err(ServiceError::Configuration(format!("no local log in {}", directory.display())));
    }
    let in_use = is_in_use(directory);
    folders.iter().map(|folder| log_report(folder, in_use).map_err(unreadable)).collect()
}

/// How many partitions a topic has.
///
/// # Errors
/// If the brokers cannot be asked, or the topic is not there.
pub fn partitions(client: &ClientOptions, topic: &str) -> Result<i32, ServiceError> {
    throughline_kafka::changelog::partitions(client, "throughline-state", topic)
        .map_err(|error| ServiceError::Unreachable(error.to_string()))?
        .ok_or_else(|| ServiceError::Configuration(format!("topic {topic} is not there")))
}

/// Reports on a changelog partition.
///
/// # Errors
/// If the brokers cannot be asked.
pub fn changelog(client: &ClientOptions, topic: &str, partition: i32) -> Result<PartitionReport, ServiceError> {
    let mut last: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let mut records = 0;
    let ends = throughline_kafka::changelog::read(client, "throughline-state", topic, partition, 0, |_, key, value| {
        records += 1;
        match value {
            Some(value) => last.insert(key.to_vec(), value.to_vec()),
            None => last.remove(key),
        };
    })
    .map_err(|error| ServiceError::Unreachable(format!("{topic}[{partition}]: {error}")))?;
    let mut count = Count::default();
    last.iter().for_each(|(key, value)| count.add(key, value));
    let mut report = PartitionReport {
        source: "changelog",
        topic: topic.to_owned(),
        partition,
        from_offset: Some(ends.low),
        end_offset: Some(ends.stable),
        records,
        ..PartitionReport::default()
    };
    count.finish(&mut report);
    if ends.low > 0 {
        report.problems.push(format!("offsets before {} are gone: records were deleted from the start", ends.low));
    }
    Ok(report)
}

/// Keys whose last value differs between a local log with the changelog behind it, and the changelog alone.
///
/// # Errors
/// If one of the two cannot be read.
pub fn compare(client: &ClientOptions, report: &mut PartitionReport) -> Result<(), ServiceError> {
    let Some((folder, from)) = report.folder.clone().zip(report.from_offset) else { return Ok(()) };
    let unreadable = |error| ServiceError::Configuration(format!("cannot read {}: {error}", folder.display()));
    let found = survey(&Folder, &folder).map_err(unreadable)?;
    let mut restored: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    latest(&Folder, &found, |key, value| {
        restored.insert(key.to_vec(), value.to_vec());
        Ok(())
    })
    .map_err(unreadable)?;
    let mut wanted: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    let put = |table: &mut BTreeMap<_, _>, key: &[u8], value: Option<&[u8]>| match value {
        Some(value) => table.insert(key.to_vec(), value.to_vec()),
        None => table.remove(key),
    };
    throughline_kafka::changelog::read(
        client,
        "throughline-state",
        &report.topic,
        report.partition,
        0,
        |offset, key, value| {
            put(&mut wanted, key, value);
            if offset >= from {
                put(&mut restored, key, value);
            }
        },
    )
    .map_err(|error| ServiceError::Unreachable(format!("{}[{}]: {error}", report.topic, report.partition)))?;
    let missing = wanted.keys().filter(|key| !restored.contains_key(*key)).count();
    let surplus = restored.keys().filter(|key| !wanted.contains_key(*key)).count();
    let differing =
        wanted.iter().filter(|(key, value)| restored.get(*key).is_some_and(|other| other != *value)).count();
    if missing + surplus + differing > 0 {
        report.problems.push(format!(
            "against the changelog {missing} keys are missing, {surplus} are too many, {differing} have another value"
        ));
    }
    Ok(())
}

fn is_in_use(directory: &Path) -> bool {
    let mut places = directory.ancestors().take(3);
    places.any(|place| place.join("lock").is_file() && matches!(Lock::take(place), Err(LockError::Held(_))))
}

/// Folders of partitions: `<directory>/<topic>/<partition>`, `<directory>/<partition>`, or the directory itself.
fn log_folders(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    let mut level = vec![directory.to_owned()];
    for _ in 0..3 {
        let mut below = Vec::new();
        for folder in level {
            let names = Folder.list(&folder)?;
            if names.iter().any(|name| name.ends_with(".batches") || name.ends_with(".snapshot")) {
                folders.push(folder);
                continue;
            }
            below.extend(names.iter().map(|name| folder.join(name)).filter(|path| path.is_dir()));
        }
        level = below;
    }
    let number = |folder: &PathBuf| folder.file_name().and_then(|name| name.to_str()?.parse::<i32>().ok());
    folders.sort_by_key(|folder| (folder.parent().map(Path::to_owned), number(folder)));
    Ok(folders)
}

fn log_report(folder: &Path, in_use: bool) -> std::io::Result<PartitionReport> {
    let found = survey(&Folder, folder)?;
    let identity = found.files.first().map(|file| &file.header.identity);
    let mut report = PartitionReport {
        source: "local_log",
        folder: Some(folder.to_owned()),
        topic: identity.map(|identity| identity.topic.clone()).unwrap_or_default(),
        partition: identity.map_or(-1, |identity| identity.partition),
        in_use,
        files: found.files.iter().map(file_report).collect(),
        from_offset: found.position.map(|position| position.next),
        as_of: found.position.map(|Position { at, .. }| throughline_api::rfc3339(at)),
        records: found.records(),
        ..PartitionReport::default()
    };
    let mut count = Count::default();
    latest(&Folder, &found, |key, value| {
        count.add(key, value);
        Ok(())
    })?;
    count.finish(&mut report);
    report.problems.extend(log_problems(&found, in_use));
    Ok(report)
}

fn file_report(file: &throughline_kafka::local_log::FileSurvey) -> FileReport {
    FileReport {
        file: file.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        kind: match file.header.kind {
            FileKind::Snapshot => "snapshot",
            FileKind::Batches => "batches",
        },
        created_at: throughline_api::rfc3339(file.header.created_at),
        records: file.records,
        bytes: file.bytes,
    }
}

fn log_problems(found: &Survey, in_use: bool) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(damage) = &found.damage {
        // The file that a running process writes ends anywhere; whoever restores from it has its own lock.
        let is_end = found.files.last().is_some_and(|last| last.path == damage.path) && found.leftover.is_empty();
        if !(in_use && is_end) {
            let file = damage.path.display();
            problems.push(format!(
                "{file} cannot be used from byte {} on: {}; {} files behind it do not count",
                damage.at,
                damage.why,
                found.leftover.len()
            ));
        }
    }
    if found.position.is_none() {
        problems
            .push("no position: the restore that began this log did not end, or its beginning is damaged".to_owned());
    }
    problems
}

/// Counts what holds.
#[derive(Default)]
struct Count {
    keys: u64,
    bytes: u64,
    header: Option<HeaderReport>,
    parts: BTreeMap<&'static str, PartReport>,
    other_keys: BTreeMap<String, u64>,
    customers: BTreeMap<NodeId, u64>,
    unreadable: Vec<String>,
    unreadable_records: u64,
}

impl Count {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.keys += 1;
        self.bytes += (key.len() + value.len()) as u64;
        if key == StateHeader::KEY {
            match StateHeader::read(value) {
                Ok((header, partitioner)) => {
                    self.header = Some(HeaderReport {
                        state_format: header.state_format,
                        partitions: header.partitions,
                        key_id: header.key_id.to_string(),
                        model: header.model,
                        partitioner: partitioner.to_owned(),
                    });
                }
                Err(error) => self.unreadable(format!("the header: {error}")),
            }
            return;
        }
        let Some((node, _)) = table::read_key(key) else {
            let name = String::from_utf8_lossy(&key[..key.len().min(24)]).escape_debug().to_string();
            *self.other_keys.entry(name).or_default() += value.len() as u64;
            return;
        };
        *self.customers.entry(node).or_default() += value.len() as u64;
        for (part, bytes) in table::parts(value) {
            let at = self.parts.entry(part.as_str()).or_default();
            at.customers += 1;
            at.bytes += bytes.len() as u64;
            at.bytes_max = at.bytes_max.max(bytes.len() as u64);
        }
        if let Err(error) = table::read(node, value) {
            self.unreadable(error.to_string());
        }
    }

    fn unreadable(&mut self, text: String) {
        self.unreadable_records += 1;
        if self.unreadable.len() < UNREADABLE_MAX {
            self.unreadable.push(text);
        }
    }

    fn finish(self, report: &mut PartitionReport) {
        if let Some(header) = &self.header {
            let strays = self.customers.keys();
            let strays =
                strays.filter(|node| partition_of(node.hex().as_bytes(), header.partitions) != report.partition);
            let strays = strays.count();
            if strays > 0 {
                report.problems.push(format!("{strays} customers belong to other partitions"));
            }
            if header.state_format > throughline_pipeline::state::STATE_FORMAT {
                let (found, known) = (header.state_format, throughline_pipeline::state::STATE_FORMAT);
                report.problems.push(format!("state format {found} is newer than this program reads ({known})"));
            }
        } else if self.keys > 0 {
            report.problems.push("the header is missing: records were deleted from the start".to_owned());
        }
        if self.unreadable_records > 0 {
            report.problems.push(format!(
                "{} records cannot be read, the first: {}",
                self.unreadable_records,
                self.unreadable.join("; ")
            ));
        }
        let mut largest: Vec<LargeCustomer> = Vec::new();
        for (node, bytes) in &self.customers {
            if largest.len() < LARGEST || largest.last().is_some_and(|last| last.bytes < *bytes) {
                largest.push(LargeCustomer { bytes: *bytes, customer_id: node.to_string() });
                largest.sort_by(|left, right| right.cmp(left));
                largest.truncate(LARGEST);
            }
        }
        report.keys = self.keys;
        report.customers = self.customers.len() as u64;
        report.bytes = self.bytes;
        report.header = self.header;
        report.parts = self.parts;
        report.other_keys = self.other_keys;
        report.largest = largest;
    }
}
