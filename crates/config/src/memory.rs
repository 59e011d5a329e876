//! What a process may hold at once by its settings, beside its customers, and whether that fits into its memory.

use crate::error::Origin;
use crate::resolve::{Config, Resolver};
use crate::units::show_size;

/// Bytes that may come in, decoded or not, between two looks at the memory: no smaller limit makes them fewer.
const BURST: u64 = 32 << 20;

/// Bytes at which sources wait: nine tenths of a limit, and less where that leaves no room for a burst.
#[must_use]
pub fn full(limit: u64) -> u64 {
    (limit / 10 * 9).min(limit.saturating_sub(BURST)).max(limit / 2)
}

/// What the end of a transaction may hold at once, in terms of its uncommitted state: that, the state stored at the commit, the
/// records made of both, the same in the client's queue and in its requests.
const END_OF_TRANSACTION: u64 = 8;

/// Bytes above which transactions are kept small and nothing is kept for convenience: the usual ones, `uncommitted` bytes of all
/// workers together, would not all find room when they end.
#[must_use]
pub fn tight(limit: u64, uncommitted: u64) -> u64 {
    limit.saturating_sub(uncommitted.saturating_mul(END_OF_TRANSACTION)).min(room(limit))
}

/// Bytes at which they are read again: a gap below, or they would come and go.
#[must_use]
pub fn room(limit: u64) -> u64 {
    full(limit) - limit / 20
}

const PREFETCH: &str = "queued.max.messages.kbytes";
const QUEUE: &str = "queue.buffering.max.kbytes";

/// One setting that takes memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The key.
    pub key: String,
    /// How many of it there are.
    pub count: u64,
    /// Bytes of each.
    pub bytes: u64,
}

/// What a process may hold at once, by setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryNeed(pub Vec<Share>);

impl MemoryNeed {
    /// The need of a process that runs these stages.
    #[must_use]
    pub fn of(config: &Config, normalize: bool, experience: bool) -> Self {
        let workers = |runs: bool, workers: std::num::NonZeroU32| if runs { u64::from(workers.get()) } else { 0 };
        let normalizing = workers(normalize, config.workers.normalize);
        let folding = workers(experience, config.workers.experience);
        // What is no number librdkafka refuses with a better sentence.
        let kilobytes = |name: &str| config.kafka.client.get(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        let share = |key: String, count, bytes: u64| Share { key, count, bytes };
        let client = |name: &str| {
            share(
                format!("kafka.client.\"{name}\""),
                normalizing + folding,
                u64::saturating_mul(kilobytes(name), 1_024),
            )
        };
        Self(vec![
            client(PREFETCH),
            client(QUEUE),
            share("commit.overlay".to_owned(), folding, config.commit.overlay_bytes),
            share("limits.catalog".to_owned(), u64::from(normalize), config.limits.catalog_bytes),
        ])
    }

    /// Bytes of all together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let sizes = self.0.iter().map(|share| share.count.saturating_mul(share.bytes));
        sizes.fold(0, u64::saturating_add)
    }

    /// Whether all of it fits below the point at which sources wait.
    #[must_use]
    pub fn fits(&self, limit: u64) -> bool {
        self.bytes() <= full(limit)
    }

    /// Why it does not fit.
    #[must_use]
    pub fn problem(&self, limit: u64) -> String {
        format!(
            "{} is too little: by these settings {} may be held at once beside the customers, and sources wait at {} MiB",
            show_size(limit),
            show_size(self.bytes()),
            full(limit) >> 20
        )
    }

    /// What to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        let mut shares: Vec<&Share> = self.0.iter().filter(|share| share.count > 0).collect();
        shares.sort_by_key(|share| std::cmp::Reverse(share.count.saturating_mul(share.bytes)));
        let shares: Vec<String> = shares
            .iter()
            .map(|share| format!("`{}` ({} x {})", share.key, share.count, show_size(share.bytes)))
            .collect();
        format!("raise `limits.memory`, run fewer workers, or lower {}", shares.join(", "))
    }
}

/// A limit that a person wrote must hold what the settings allow. Two stages in two processes need less each than both in
/// one, so that only what fits neither way is refused here; the start knows what it runs, and refuses the rest.
pub(crate) fn bounds_fit_the_memory(resolver: &mut Resolver, config: &Config) {
    let Some(limit) = config.limits.memory_bytes else { return };
    let (all, normalize, experience) =
        (MemoryNeed::of(config, true, true), MemoryNeed::of(config, true, false), MemoryNeed::of(config, false, true));
    let is_written = !matches!(resolver.setting("limits.memory").origin, Origin::Derived { .. });
    if is_written && !normalize.fits(limit) && !experience.fits(limit) {
        resolver.error("limits.memory", all.problem(limit), all.help());
    } else if !all.fits(limit) {
        let problem = format!("{}; a process that runs both stages is refused: {}", all.problem(limit), all.help());
        resolver.warn("limits.memory", problem);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_limit_keeps_room_for_a_burst() {
        let mebibytes = |limit: u64| (full(limit << 20) >> 20, room(limit << 20) >> 20);
        assert_eq!(mebibytes(4_000), (3_600, 3_400));
        assert_eq!(mebibytes(320), (288, 272));
        assert_eq!(mebibytes(192), (160, 150));
        assert_eq!(mebibytes(64), (32, 28));
        assert_eq!(mebibytes(40), (20, 18));
        assert_eq!(tight(4_000 << 20, 64 << 20) >> 20, 3_400);
        assert_eq!(tight(1_024 << 20, 64 << 20) >> 20, 512);
        assert_eq!(tight(256 << 20, 64 << 20), 0, "always");
    }
}
