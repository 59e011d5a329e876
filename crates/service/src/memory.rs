//! Memory of the process: how much it may use, how much it uses, and what workers are told about it.
//!
//! One thread looks ten times a second. What is measured is resident memory as the kernel counts it, because that is what a
//! process is killed for; what the allocator keeps for later is in it, so the allocator is asked to give that back before
//! anybody waits.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use throughline_config::memory::{FULL_PERCENT, ROOM_PERCENT};
use throughline_config::units::show_size;
use throughline_config::{Config, Memory, MemoryNeed};
use throughline_kafka::bounds::{MemoryGauge, MemoryLevel};
use throughline_kafka::metrics::BoundMetrics;

use crate::error::ServiceError;
use crate::run::Stages;

/// Percent of the limit at which sources wait at once, without trying anything else first.
const URGENT_PERCENT: u64 = 95;
/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(100);
/// Time between two requests to the allocator: each walks all of its arenas.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

/// Reads a file as text; none if it is not there.
pub type ReadFile<'f> = &'f dyn Fn(&Path) -> Option<String>;

/// What this process may use: its control group's limit or an ancestor's, else the machine's memory.
#[must_use]
pub fn found() -> Option<Memory> {
    find(&|path| std::fs::read_to_string(path).ok())
}

/// The same on a file system that `read` reads.
pub fn find(read: ReadFile<'_>) -> Option<Memory> {
    let machine = read(Path::new("/proc/meminfo")).and_then(|text| kilobytes(&text, "MemTotal:"));
    let machine = machine.map(|bytes| Memory { bytes, from: "memory of the machine".to_owned() });
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = groups.lines().filter_map(|line| group_limit(line, read));
    limits.chain(machine).min_by_key(|memory| memory.bytes)
}

/// The smallest limit of a group and its ancestors; `line` is one of `/proc/self/cgroup`.
fn group_limit(line: &str, read: ReadFile<'_>) -> Option<Memory> {
    let mut parts = line.splitn(3, ':').skip(1);
    let (controllers, path) = (parts.next()?, parts.next()?);
    let (roots, file): (&[&str], _) = match controllers {
        "" => (&["/sys/fs/cgroup", "/sys/fs/cgroup/unified"], "memory.max"),
        v1 if v1.split(',').any(|name| name == "memory") => (&["/sys/fs/cgroup/memory"], "memory.limit_in_bytes"),
        _ => return None,
    };
    // A container sees its own group as the root, whatever path the machine has for it.
    let groups = Path::new(path.trim_start_matches('/')).ancestors();
    let files = groups.flat_map(|group| roots.iter().map(move |root| Path::new(root).join(group).join(file)));
    let limits = files.filter_map(|file| {
        // `max`, and the largest number of pages that version 1 knows, mean that there is no limit.
        let bytes: u64 = read(&file)?.trim().parse().ok().filter(|bytes| *bytes < 1 << 60)?;
        Some(Memory { bytes, from: format!("control group, {}", file.display()) })
    });
    limits.min_by_key(|memory| memory.bytes)
}

/// Resident memory of this process.
fn resident() -> Option<u64> {
    kilobytes(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// The bytes of a line such as `VmRSS:     1234 kB`.
fn kilobytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1_024)
}

/// Refuses settings by which more may be held at once than there is memory for: sources would wait for good.
///
/// # Errors
/// If they do not fit.
pub fn check(config: &Config, stages: Stages, limit: u64) -> Result<(), ServiceError> {
    let need = MemoryNeed::of(config, stages.normalize, stages.experience);
    if need.fits(limit) {
        return Ok(());
    }
    Err(ServiceError::Configuration(format!("limits.memory: {}; {}", need.problem(limit), need.help())))
}

/// Judges what is used, with a gap between beginning and end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Judge {
    limit: u64,
    level: MemoryLevel,
}

impl Judge {
    const fn new(limit: u64) -> Self {
        Self { limit, level: MemoryLevel::Room }
    }

    /// The level by what is used now. Sources only wait where dropping and purging were tried a look before, or it is urgent.
    fn judge(&mut self, used: u64) -> MemoryLevel {
        let at = |percent: u64| self.limit / 100 * percent;
        self.level = if used <= at(ROOM_PERCENT) {
            MemoryLevel::Room
        } else if used >= at(URGENT_PERCENT) {
            MemoryLevel::Short
        } else if used >= at(FULL_PERCENT) {
            if self.level == MemoryLevel::Room { MemoryLevel::Tight } else { MemoryLevel::Short }
        } else {
            self.level
        };
        self.level
    }
}

/// Watches memory until `stop`: tells the gauge, which the workers read, and the metrics. `purge` asks the allocator to give
/// back what it keeps.
///
/// # Errors
/// If the thread cannot be started.
pub fn watch(
    limit: u64,
    gauge: Arc<MemoryGauge>,
    metrics: BoundMetrics,
    purge: fn(),
    stop: Arc<AtomicBool>,
) -> Result<(), ServiceError> {
    if resident().is_none() {
        tracing::warn!("resident memory cannot be read here: limits.memory holds nothing back");
        return Ok(());
    }
    tracing::info!(limit = show_size(limit), "memory is watched");
    let mut judge = Judge::new(limit);
    let watching = move || {
        let mut purged: Option<Instant> = None;
        while !stop.load(Ordering::Acquire) {
            let used = resident().unwrap_or(0);
            let before = judge.level;
            let level = judge.judge(used);
            gauge.set(used, limit, level);
            metrics.memory(used, limit);
            let is_due = purged.is_none_or(|at| at.elapsed() >= PURGE_INTERVAL);
            if level != MemoryLevel::Room && (is_due || before == MemoryLevel::Room) {
                purge();
                purged = Some(Instant::now());
            }
            std::thread::sleep(INTERVAL);
        }
    };
    std::thread::Builder::new()
        .name("memory".to_owned())
        .spawn(watching)
        .map(|_| ())
        .map_err(|error| ServiceError::Unexpected(format!("cannot start the thread that watches memory: {error}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::num::NonZeroU32;

    use throughline_config::{RawConfig, Surroundings};

    use super::*;

    fn find_in(files: &[(&str, &str)]) -> Option<(u64, String)> {
        let files: BTreeMap<&str, &str> = files.iter().copied().collect();
        let read = |path: &Path| files.get(path.to_str()?).map(|text| (*text).to_owned());
        find(&read).map(|memory| (memory.bytes, memory.from))
    }

    const MACHINE: (&str, &str) = ("/proc/meminfo", "MemTotal:        1000 kB\nMemFree:          10 kB\n");

    #[test]
    fn without_a_control_group_the_machine_counts() {
        assert_eq!(find_in(&[MACHINE]), Some((1_024_000, "memory of the machine".to_owned())));
        assert_eq!(find_in(&[]), None);
    }

    #[test]
    fn the_smallest_limit_of_the_group_and_its_ancestors_counts() {
        let group = ("/proc/self/cgroup", "0::/a/b\n");
        let own = ("/sys/fs/cgroup/a/b/memory.max", "500000\n");
        let above = ("/sys/fs/cgroup/a/memory.max", "400000\n");
        let none = ("/sys/fs/cgroup/memory.max", "max\n");
        let named = |file: &str| format!("control group, {file}");
        assert_eq!(find_in(&[MACHINE, group, own, none]), Some((500_000, named(own.0))));
        assert_eq!(find_in(&[MACHINE, group, own, above]), Some((400_000, named(above.0))));
        let wide = (own.0, "9000000000\n");
        assert_eq!(find_in(&[MACHINE, group, wide]).map(|found| found.0), Some(1_024_000), "the machine has less");
    }

    #[test]
    fn version_1_and_a_container_that_sees_its_group_as_the_root() {
        let groups = ("/proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/x\n0::/\n");
        let root = ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "300000\n");
        assert_eq!(find_in(&[MACHINE, groups, root]).map(|found| found.0), Some(300_000));
        let none = (root.0, "9223372036854771712\n");
        assert_eq!(find_in(&[MACHINE, groups, none]).map(|found| found.0), Some(1_024_000));
    }

    #[test]
    fn what_this_process_uses_can_be_read() {
        assert!(resident().is_some_and(|bytes| bytes > 0));
        assert!(found().is_some_and(|memory| memory.bytes > 0));
    }

    #[test]
    fn sources_wait_after_purging_did_not_help_and_until_there_is_a_gap() {
        use MemoryLevel::{Room, Short, Tight};
        let mut judge = Judge::new(1_000);
        let levels: Vec<_> = [100, 899, 900, 899, 850, 900, 901, 899, 851, 850, 899, 950]
            .into_iter()
            .map(|used| judge.judge(used))
            .collect();
        assert_eq!(levels, [Room, Room, Tight, Tight, Room, Tight, Short, Short, Short, Room, Room, Short]);
    }

    #[test]
    fn settings_that_cannot_fit_are_refused_by_what_runs() {
        let raw = RawConfig::default();
        let config = raw.resolve(&Surroundings::new(NonZeroU32::MIN)).expect("the defaults are valid");
        let normalize = Stages { normalize: true, experience: false };
        assert!(check(&config, Stages::ALL, 1 << 30).is_ok());
        assert!(check(&config, normalize, 200 << 20).is_ok());
        let refused = check(&config, Stages::ALL, 200 << 20).expect_err("320 MiB do not fit into 200");
        assert_eq!(refused.exit_code(), 2);
        let text = refused.to_string();
        for named in ["320MiB", "limits.memory", "commit.overlay", "queue.buffering.max.kbytes", "limits.catalog"] {
            assert!(text.contains(named), "{named}: {text}");
        }
    }
}
