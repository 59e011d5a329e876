//! What a worker does right now, for `/v1/status` and for people.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use throughline_model::NextOffset;

use crate::bounds::BoundReading;
use crate::classify::Reaction;
use crate::metrics::PauseReason;
use crate::restore::RestoreProgress;

/// Lag of one input partition as the client's statistics tell it.
#[derive(Debug, Clone, PartialEq)]
pub struct Lag {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Records between the position and the last stable offset.
    pub records: i64,
    /// Age of the last record taken, in seconds; 0 when caught up.
    pub seconds: f64,
    /// Records between the last stable offset and the end, markers counted with them: transactions that are open
    /// hold them back. 0 while its broker does not answer.
    pub unstable_records: i64,
    /// For how long, in seconds, the last stable offset has not moved although there are some.
    pub unstable_seconds: f64,
    /// Bytes fetched ahead by its consumer, of all partitions together.
    pub queued_bytes: u64,
    /// Whether the position has reached the last stable offset with an empty fetch queue. Offsets alone never show it
    /// behind transaction markers.
    pub caught_up: bool,
    /// When nothing was left to read, milliseconds since 1970: the time of the statistics, if it had caught up then, no open
    /// transaction held records back, and its broker had answered a moment before. Whoever is cut off from a broker does not
    /// know of what it lacks.
    pub exhausted_at: Option<i64>,
    pub(crate) last_stable: i64,
    /// Since when it is where it is.
    pub(crate) stands_since: Instant,
}

/// One partition of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Its state is being read back.
    pub restoring: bool,
    /// Why it is not read now; none: it is.
    pub paused: Option<PauseReason>,
    /// Where to resume, as the group remembers it.
    pub next: NextOffset,
    /// Number of the last transaction that moved it.
    pub txn_seq: u64,
    /// Records behind, if known.
    pub lag_records: Option<i64>,
    /// Age of the record last read where something is left to read, if known.
    pub lag: Option<Duration>,
    /// How far its restore is, while it is restored.
    pub restore: Option<RestoreProgress>,
}

/// What a worker does right now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkerStatus {
    /// Name of the worker.
    pub name: String,
    /// Stage.
    pub stage: &'static str,
    /// Word for its phase.
    pub phase: &'static str,
    /// Its partitions.
    pub tasks: Vec<TaskStatus>,
    /// Whether it joined the group at least once.
    pub joined: bool,
    /// Transactional id, stable over restarts.
    pub transactional_id: String,
    /// When a commit was last confirmed, milliseconds since 1970.
    pub committed_at: Option<i64>,
    /// The last fault.
    pub last_fault: Option<FaultStatus>,
    /// When it was last fenced, or its consumer replaced, milliseconds since 1970, and how often since the start.
    pub fenced: Option<(i64, u64)>,
    /// Since when calls are repeated because brokers do not answer, without a commit between; milliseconds since 1970.
    pub unanswered_since: Option<i64>,
    /// How full its bounds were in the last second.
    pub bounds: Vec<BoundReading>,
}

/// A fault and how it was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultStatus {
    /// When, milliseconds since 1970.
    pub at: i64,
    /// How it was met.
    pub reaction: Reaction,
    /// What the client said.
    pub text: String,
}

// A narrow reader of librdkafka's statistics: everything else is skipped.
#[derive(Deserialize)]
struct Statistics {
    /// Seconds since 1970.
    #[serde(default)]
    time: i64,
    #[serde(default)]
    brokers: HashMap<String, BrokerStatistics>,
    #[serde(default)]
    topics: HashMap<String, TopicStatistics>,
}

#[derive(Deserialize)]
struct BrokerStatistics {
    #[serde(default)]
    nodeid: i32,
    #[serde(default)]
    state: String,
    /// Microseconds since something was received, -1 if nothing was.
    #[serde(default)]
    rxidle: i64,
}

#[derive(Deserialize)]
struct TopicStatistics {
    #[serde(default)]
    partitions: HashMap<String, PartitionStatistics>,
}

#[derive(Deserialize)]
struct PartitionStatistics {
    #[serde(default)]
    partition: i32,
    /// The broker that is fetched from.
    #[serde(default)]
    broker: i32,
    #[serde(default)]
    fetchq_cnt: i64,
    #[serde(default)]
    fetchq_size: u64,
    #[serde(default)]
    fetch_state: String,
    #[serde(default)]
    next_offset: i64,
    /// After the last record that was taken; below 0 before the first.
    #[serde(default)]
    app_offset: i64,
    #[serde(default)]
    ls_offset: i64,
    #[serde(default)]
    hi_offset: i64,
}

/// A broker that was fetched from without an answer for longer than this may have more than is known. An empty fetch is
/// answered after 50 ms.
const ANSWERED_WITHIN_MICROS: i64 = 1_000_000;

pub(crate) fn read_lag(statistics: &[u8]) -> Option<Vec<Lag>> {
    let statistics: Statistics = serde_json::from_slice(statistics).ok()?;
    let answers = |broker: i32| {
        let at = statistics.brokers.values().find(|at| at.nodeid == broker);
        at.is_some_and(|at| at.state == "UP" && (0..ANSWERED_WITHIN_MICROS).contains(&at.rxidle))
    };
    let mut lags = Vec::new();
    for (topic, at) in &statistics.topics {
        for partition in at.partitions.values() {
            if partition.partition < 0 || partition.fetch_state != "active" || partition.ls_offset < 0 {
                continue;
            }
            let behind = (partition.ls_offset - partition.next_offset.max(0)).max(0);
            let caught_up = behind == 0 && partition.fetchq_cnt == 0;
            // The queue is shared by all partitions of the consumer, and each tells of all of it: what of it is whose, the
            // records taken say. They stop short of markers, which only count where something waits.
            let taken = if partition.app_offset > 0 { partition.app_offset } else { partition.next_offset.max(0) };
            let records = if partition.fetchq_cnt > 0 { (partition.ls_offset - taken).max(behind) } else { behind };
            lags.push(Lag {
                topic: topic.clone(),
                partition: partition.partition,
                records,
                seconds: 0.0,
                // What was known before a broker fell silent says nothing about transactions.
                unstable_records: (partition.hi_offset - partition.ls_offset).max(0)
                    * i64::from(answers(partition.broker)),
                unstable_seconds: 0.0,
                queued_bytes: partition.fetchq_size,
                caught_up,
                exhausted_at: (caught_up && partition.ls_offset >= partition.hi_offset && answers(partition.broker))
                    .then_some(statistics.time * 1_000),
                last_stable: partition.ls_offset,
                stands_since: Instant::now(),
            });
        }
    }
    Some(lags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_up_to_the_last_stable_offset() {
        let text = br#"{"name":"x","time":70,"brokers":{
            "a:1/1":{"nodeid":1,"state":"UP","rxidle":40000},"b:1/2":{"nodeid":2,"state":"UP","rxidle":3000000},
            "c:1/3":{"nodeid":3,"state":"DOWN","rxidle":40000}},"topics":{"t":{"age":1,"partitions":{
            "0":{"partition":0,"broker":1,"fetch_state":"active","fetchq_cnt":3,"fetchq_size":900,"app_offset":7,"next_offset":10,"ls_offset":15,"hi_offset":90},
            "1":{"partition":1,"broker":1,"fetch_state":"active","fetchq_cnt":0,"next_offset":15,"ls_offset":15},
            "3":{"partition":3,"broker":2,"fetch_state":"active","fetchq_cnt":0,"next_offset":15,"ls_offset":15},
            "4":{"partition":4,"broker":3,"fetch_state":"active","fetchq_cnt":0,"next_offset":15,"ls_offset":15},
            "5":{"partition":5,"broker":1,"fetch_state":"active","fetchq_cnt":0,"next_offset":15,"ls_offset":15,"hi_offset":17},
            "2":{"partition":2,"fetch_state":"none","next_offset":-1001,"ls_offset":-1001},
            "-1":{"partition":-1}}}}}"#;
        let mut lags = read_lag(text).expect("statistics");
        lags.sort_by_key(|lag| lag.partition);
        let facts: Vec<_> = lags.iter().map(|lag| (lag.partition, lag.records, lag.caught_up)).collect();
        assert_eq!(facts, [(0, 8, false), (1, 0, true), (3, 0, true), (4, 0, true), (5, 0, true)]);
        assert_eq!(lags.iter().map(|lag| lag.queued_bytes).sum::<u64>(), 900);
        let unstable: Vec<_> = lags.iter().map(|lag| lag.unstable_records).collect();
        assert_eq!(unstable, [75, 0, 0, 0, 2]);
        let exhausted: Vec<_> = lags.iter().map(|lag| lag.exhausted_at).collect();
        assert_eq!(
            exhausted,
            [None, Some(70_000), None, None, None],
            "unanswered, and held back by an open transaction"
        );
    }
}
