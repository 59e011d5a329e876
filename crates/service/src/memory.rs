//! Memory of the process: how much it may use, how much it uses, and what workers are told about it.
//!
//! One thread looks ten times a second. What is measured is resident memory as the kernel counts it, because that is what a
//! process is killed for; what the allocator keeps for later is in it, so the allocator is asked to give that back before
//! anybody waits.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use throughline_config::memory::{full, room, tight};
use throughline_config::units::show_size;
use throughline_config::{Config, Memory, MemoryNeed};
use throughline_kafka::bounds::{MemoryGauge, MemoryLevel};
use throughline_kafka::metrics::BoundMetrics;

use crate::error::ServiceError;
use crate::run::Stages;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(100);

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
    tight: u64,
    level: MemoryLevel,
    /// It was full at the last look, and what can be done about that was done.
    tried: bool,
}

impl Judge {
    /// Of workers that may have so many uncommitted bytes together.
    fn new(limit: u64, uncommitted: u64) -> Self {
        Self { limit, tight: tight(limit, uncommitted), level: MemoryLevel::Room, tried: false }
    }

    /// The level by what is used now. Sources only wait where dropping and purging were tried a look before, or it is urgent.
    fn judge(&mut self, used: u64) -> MemoryLevel {
        let full = full(self.limit);
        // Half of what is left: there is no time to try anything else first.
        let urgent = full.midpoint(self.limit);
        let below = if used > self.tight { MemoryLevel::Tight } else { MemoryLevel::Room };
        let waits = self.level == MemoryLevel::Short;
        self.level = match used {
            _ if used >= urgent || (used >= full && (waits || self.tried)) => MemoryLevel::Short,
            _ if waits && used > room(self.limit) => MemoryLevel::Short,
            _ if used >= full => MemoryLevel::Tight,
            _ => below,
        };
        self.tried = used >= full;
        self.level
    }
}

/// What is watched, and who is told.
pub struct Watch {
    /// What may be used.
    pub limit: u64,
    /// Uncommitted bytes that all workers together may have.
    pub uncommitted: u64,
    /// Read by the workers.
    pub gauge: Arc<MemoryGauge>,
    /// For people.
    pub metrics: BoundMetrics,
    /// Asks the allocator to give back what it keeps.
    pub purge: fn(),
}

impl Watch {
    /// Watches until `stop`.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(self, stop: Arc<AtomicBool>) -> Result<(), ServiceError> {
        if resident().is_none() {
            tracing::warn!("resident memory cannot be read here: limits.memory holds nothing back");
            return Ok(());
        }
        tracing::info!(limit = show_size(self.limit), "memory is watched");
        std::thread::Builder::new()
            .name("memory".to_owned())
            .spawn(move || self.run(&stop))
            .map(|_| ())
            .map_err(|error| ServiceError::Unexpected(format!("cannot start the thread that watches memory: {error}")))
    }

    fn run(&self, stop: &AtomicBool) {
        let mut judge = Judge::new(self.limit, self.uncommitted);
        while !stop.load(Ordering::Acquire) {
            let used = resident().unwrap_or(0);
            self.gauge.set(used, self.limit, judge.judge(used));
            self.metrics.memory(used, self.limit);
            if used > room(self.limit) {
                // At every look: what a second of a backlog leaves behind in the arenas can be more than what is left.
                (self.purge)();
            }
            std::thread::sleep(INTERVAL);
        }
    }
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
        let mut judge = Judge::new(1_000 << 20, 25 << 20);
        let levels: Vec<_> = [100, 800, 801, 899, 900, 899, 850, 900, 901, 899, 851, 850, 800, 950]
            .into_iter()
            .map(|used: u64| judge.judge(used << 20))
            .collect();
        assert_eq!(
            levels,
            [Room, Room, Tight, Tight, Tight, Tight, Tight, Tight, Short, Short, Short, Tight, Room, Short]
        );
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
